#include "flylocal/store/state_directory.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "tests/unit/temporary_directory.hpp"

using namespace flylocal;
using namespace flylocal::store;
using flylocal::tests::ScopedVariable;
using flylocal::tests::TemporaryDirectory;

namespace {

/// A process that takes the lock and then waits to be killed.
class LockHolder {
 public:
  LockHolder(const std::filesystem::path& directory, const std::string& apps) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      auto lock = StateLock::acquire(directory, apps);
      const char answer = lock ? 'y' : 'n';
      if (::write(write_end.get(), &answer, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    write_end.reset();
    char answer = 0;
    REQUIRE(::read(read_end.get(), &answer, 1) == 1);
    REQUIRE(answer == 'y');
  }
  ~LockHolder() { kill(); }

  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("the state directory follows the XDG variables") {
  struct Case {
    const char* state;
    const char* home;
    const char* directory;  ///< null: an Error
  };
  const Case cases[] = {
      {"/var/state", "/home/me", "/var/state/flylocal"},
      {nullptr, "/home/me", "/home/me/.local/state/flylocal"},
      {"", "/home/me", "/home/me/.local/state/flylocal"},
      {"relative/state", "/home/me", "/home/me/.local/state/flylocal"},
      {nullptr, nullptr, nullptr},
      {"relative", "also/relative", nullptr},
  };
  for (const Case& c : cases) {
    INFO((c.state ? c.state : "(unset)") << " " << (c.home ? c.home : "(unset)"));
    const ScopedVariable state("XDG_STATE_HOME", c.state);
    const ScopedVariable home("HOME", c.home);
    const auto directory = state_directory();
    REQUIRE(directory.has_value() == (c.directory != nullptr));
    if (c.directory) {
      CHECK(*directory == c.directory);
    } else {
      CHECK_THAT(directory.error().message, Catch::Contains("XDG_STATE_HOME"));
    }
  }
}

TEST_CASE("a lock makes its directory, for its owner only") {
  const TemporaryDirectory temporary;
  const auto directory = temporary.path() / "a" / "b";
  auto lock = StateLock::acquire(directory, "web");
  REQUIRE(lock.has_value());
  CHECK(lock->directory() == directory);
  struct stat status {};
  REQUIRE(::stat(directory.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
  CHECK(control_socket_path(directory).parent_path() == directory);
}

TEST_CASE("a second lock is refused, with the pid and the apps of the first") {
  const TemporaryDirectory temporary;
  LockHolder holder(temporary.path(), "shop, mail");
  const auto second = StateLock::acquire(temporary.path(), "other");
  REQUIRE(second.has_error());
  CHECK(second.error().code == std::errc::resource_unavailable_try_again);
  CHECK_THAT(second.error().message, Catch::Contains("pid " + std::to_string(holder.pid())));
  CHECK_THAT(second.error().message, Catch::Contains("shop, mail"));
  CHECK_THAT(second.error().message, Catch::Contains("flylocal down"));

  // The refused one has not written over what the next one will be told.
  const auto third = StateLock::acquire(temporary.path(), "another");
  REQUIRE(third.has_error());
  CHECK_THAT(third.error().message, Catch::Contains("shop, mail"));
}

TEST_CASE("a lock ends with the process that held it, however it ends") {
  const TemporaryDirectory temporary;
  LockHolder holder(temporary.path(), "shop");
  REQUIRE(StateLock::acquire(temporary.path(), "web").has_error());
  holder.kill();
  CHECK(StateLock::acquire(temporary.path(), "web").has_value());
}

TEST_CASE("an owner that is just ending is waited for") {
  // SIGKILL ends a process thread by thread: the first one may be gone, and the process with it for all who look, while
  // another still has the files open.
  const TemporaryDirectory temporary;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    static std::optional<Result<StateLock>> lock;
    lock.emplace(StateLock::acquire(temporary.path(), "shop"));
    static const int told = write_end.release();
    std::thread([] {
      char stat[256] = "";
      while (!std::strstr(stat, ") Z")) {
        std::this_thread::yield();
        const UniqueFd file(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
        if (const ssize_t n = ::read(file.get(), stat, sizeof stat - 1); n >= 0) stat[n] = 0;
      }
      const char answer = lock->has_value() ? 'y' : 'n';
      if (::write(told, &answer, 1) != 1) ::_exit(1);
      std::this_thread::sleep_for(std::chrono::milliseconds(400));  // how long its files stay open
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);  // the first thread alone
  }
  write_end.reset();
  char answer = 0;
  REQUIRE(::read(read_end.get(), &answer, 1) == 1);
  REQUIRE(answer == 'y');
  CHECK(StateLock::acquire(temporary.path(), "web").has_value());
  ::waitpid(pid, nullptr, 0);
}

TEST_CASE("a lock ends with its object, and moves with it") {
  const TemporaryDirectory temporary;
  {
    auto first = StateLock::acquire(temporary.path(), "web");
    REQUIRE(first.has_value());
    const StateLock moved = std::move(*first);
    CHECK(StateLock::acquire(temporary.path(), "web").has_error());
  }
  CHECK(StateLock::acquire(temporary.path(), "web").has_value());
}

TEST_CASE("a shorter owner does not leave the end of a longer one's name") {
  const TemporaryDirectory temporary;
  REQUIRE(StateLock::acquire(temporary.path(), "an-app-with-quite-a-long-name, another-app").has_value());
  auto lock = StateLock::acquire(temporary.path(), "web");
  REQUIRE(lock.has_value());
  const auto refused = StateLock::acquire(temporary.path(), "x");
  REQUIRE(refused.has_error());
  CHECK_THAT(refused.error().message, Catch::Contains("web"));
  CHECK_THAT(refused.error().message, !Catch::Contains("another-app"));
}

TEST_CASE("a state directory that cannot be made is an error that names it and the way out") {
  const TemporaryDirectory temporary;
  temporary.write("file", "");
  const auto lock = StateLock::acquire(temporary.path() / "file" / "state", "web");
  REQUIRE(lock.has_error());
  CHECK_THAT(lock.error().message, Catch::Contains((temporary.path() / "file" / "state").string()));
  CHECK_THAT(lock.error().message, Catch::Contains("XDG_STATE_HOME"));
}
