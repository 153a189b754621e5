#include "flylocal/store/state_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace flylocal::store {
namespace fs = std::filesystem;

Result<fs::path> state_directory() {
  if (const char* own = std::getenv(kStateDirectoryVariable); own && *own == '/') return Result<fs::path>(boost::system::in_place_value, own);
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/') return Result<fs::path>(boost::system::in_place_value, fs::path(state) / "flylocal");
  if (const char* home = std::getenv("HOME"); home && *home == '/') return Result<fs::path>(boost::system::in_place_value, fs::path(home) / ".local/state/flylocal");
  return Error{"no place for flylocal's state: set HOME or XDG_STATE_HOME to an absolute path"};
}

Result<fs::path> certificates_directory() {
  if (const char* own = std::getenv(kCertificatesVariable); own && *own == '/') return Result<fs::path>(boost::system::in_place_value, own);
  auto state = state_directory();
  if (!state) return state.error();
  return Result<fs::path>(boost::system::in_place_value, *state / "certs");
}

namespace {

/// What the lock's holder wrote about itself: "pid 12, shop"; empty when it has not come to it yet.
std::string read_owner(const UniqueFd& lock) {
  char text[512];
  const ssize_t n = ::pread(lock.get(), text, sizeof text, 0);
  std::string owner(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner;
}

pid_t pid_of(std::string_view owner) {
  constexpr std::string_view kBefore = "pid ";
  pid_t pid = 0;
  if (owner.substr(0, kBefore.size()) == kBefore) std::from_chars(owner.data() + kBefore.size(), owner.data() + owner.size(), pid);
  return pid;
}

/// Whether the process is on its way out: its first thread has ended or is ending (PF_EXITING in the ninth field of
/// proc_pid_stat(5)), while other threads may still hold its files open.
bool is_ending(pid_t pid) {
  constexpr unsigned long kExiting = 0x4;
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return true;
  const auto name_end = line.rfind(')');  // the name may hold anything, also blanks and brackets
  if (name_end == std::string::npos) return false;
  std::istringstream fields(line.substr(name_end + 1));
  char state = 0;
  long skipped = 0;
  unsigned long flags = 0;
  fields >> state >> skipped >> skipped >> skipped >> skipped >> skipped >> flags;
  return state == 'Z' || (fields && (flags & kExiting) != 0);
}

/// Takes the lock; a holder that is just ending, or was told to a moment ago, is waited for. False: it runs on.
bool lock_after_the_last_one(const UniqueFd& fd) {
  using std::chrono::milliseconds;
  constexpr milliseconds kToldToEnd{200};  // from a SIGKILL to the first sign of its work
  constexpr milliseconds kEnding{5000};    // a large process on a loaded host
  const auto locked = [&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0; };
  if (locked()) return true;
  if (errno != EWOULDBLOCK) return false;
  const pid_t owner = pid_of(read_owner(fd));
  if (owner > 0) {
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, owner, 0)));
    pollfd ended{process.get(), POLLIN, 0};
    if (process && ::poll(&ended, 1, static_cast<int>(kToldToEnd.count())) == 0 && is_ending(owner))
      ::poll(&ended, 1, static_cast<int>(kEnding.count()));
  }
  return locked();
}

}  // namespace

Result<StateLock> StateLock::acquire(const fs::path& directory, const std::string& apps) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed)
    return Error{fmt::format("make the state directory {}: {} (set XDG_STATE_HOME to a directory you can write)",
                             directory.string(), failed.message()),
                 failed};
  ::chmod(directory.c_str(), 0700);
  const fs::path path = directory / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return system_error("open " + path.string(), errno);
  if (!lock_after_the_last_one(fd)) {
    if (errno != EWOULDBLOCK) return system_error("lock " + path.string(), errno);
    const std::string owner = read_owner(fd);
    return Error{fmt::format("a sandbox is already running ({}): stop it with `flylocal down`, or start all projects "
                             "together with `flylocal up DIR...`; a second sandbox needs another XDG_STATE_HOME",
                             owner.empty() ? "it is just starting" : owner),
                 std::make_error_code(std::errc::resource_unavailable_try_again)};
  }
  const std::string owner = fmt::format("pid {}, {}\n", ::getpid(), apps);
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), owner.data(), owner.size(), 0) < 0)
    return system_error("write " + path.string(), errno);
  return StateLock(std::move(fd), directory);
}

fs::path control_socket_path(const fs::path& directory) { return directory / "control.sock"; }

}  // namespace flylocal::store
