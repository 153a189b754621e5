#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "netns/guest.hpp"
#include "netns/socket_inventory.hpp"

using namespace flylocal;
using namespace flylocal::netns;

namespace {

/// Whether it worked; if not, the reason is shown with the assertion.
template <class T>
bool ok(const Result<T>& result) {
  if (!result) UNSCOPED_INFO(result.error().message);
  return result.has_value();
}

/// A guest that runs a script, with what it prints, line by line.
class Script {
 public:
  explicit Script(std::string text) {
    GuestSpec spec;
    spec.hostname = "3d8d413b29d089";
    spec.program.argv = {"sh", "-c", std::move(text)};
    spec.program.env = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"};
    spec.program.working_directory = "/";
    auto made = Guest::create(spec);
    REQUIRE(ok(made));
    guest.emplace(std::move(*made));
    output_ = guest->take_output();
    REQUIRE(ok(guest->go()));
    REQUIRE(is_next<GuestStarted>());
  }

  template <class Event>
  bool is_next() {
    pollfd wait{guest->control_fd(), POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 20000) == 1);
    const auto event = guest->next_event();
    return event && std::holds_alternative<Event>(*event);
  }

  /// The next line; nothing when none comes in time.
  std::string line(int milliseconds = 20000) {
    std::string text;
    for (char c;;) {
      pollfd wait{output_.get(), POLLIN, 0};
      if (::poll(&wait, 1, milliseconds) != 1 || ::read(output_.get(), &c, 1) != 1) return text;
      if (c == '\n') return text;
      text += c;
    }
  }

  void freeze() {
    REQUIRE(ok(guest->freeze()));
    REQUIRE(is_next<GuestFrozen>());
  }
  void thaw() {
    REQUIRE(ok(guest->thaw()));
    REQUIRE(is_next<GuestThawed>());
  }

  /// The states of the guest's processes but init, sorted: "TT".
  std::string states() {
    std::string found;
    for (const GuestProcess& process : guest_processes(guest->init_pid())) {
      std::ifstream file("/proc/" + std::to_string(guest->init_pid()) + "/root/proc/" + std::to_string(process.pid) + "/stat");
      std::string text;
      std::getline(file, text);
      const std::size_t end = text.rfind(')');
      if (process.pid != 1 && end != std::string::npos) found += text.at(end + 2);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  bool reaches(const std::string& wanted) {
    return comes_to([&] { return states() == wanted; });
  }
  /// Nothing runs, or sleeps so that it could wake up. D is a parent whose vfork() waits for a child that is stopped.
  bool stands_still() {
    return comes_to([&] { return states().find_first_not_of("TZD") == std::string::npos; });
  }

  std::optional<Guest> guest;

 private:
  template <class Condition>
  bool comes_to(Condition holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  UniqueFd output_;
};

}  // namespace

TEST_CASE("a frozen guest stands still, and goes on where it was") {
  Script script("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
  REQUIRE(script.line() == "1");
  script.freeze();
  REQUIRE(script.stands_still());
  std::string last = "1";
  for (std::string line; !(line = script.line(200)).empty();) last = line;
  CHECK(script.line(200).empty());
  script.thaw();
  CHECK(script.line() == std::to_string(std::stoi(last) + 1));
}

TEST_CASE("every process of a guest is frozen, also in sessions of their own") {
  Script script("setsid sleep 1000 & sleep 1000 & echo ready; wait");
  REQUIRE(script.line() == "ready");
  REQUIRE(script.reaches("SSS"));
  script.freeze();
  CHECK(script.reaches("TTT"));
  script.thaw();
  CHECK(script.reaches("SSS"));
}

TEST_CASE("what a guest had stopped itself stays stopped after a thaw") {
  Script script("sleep 1000 & kill -STOP $!; echo ready; wait");
  REQUIRE(script.line() == "ready");
  REQUIRE(script.reaches("ST"));
  script.freeze();
  REQUIRE(script.reaches("TT"));
  script.thaw();
  CHECK(script.reaches("ST"));
}

TEST_CASE("freezing twice is freezing once, and thawing what runs does nothing") {
  Script script("sleep 1000; :");
  script.thaw();
  REQUIRE(script.reaches("SS"));
  script.freeze();
  script.freeze();
  REQUIRE(script.reaches("TT"));
  script.thaw();
  CHECK(script.reaches("SS"));
}

TEST_CASE("a frozen guest can be killed") {
  Script script("exec sleep 1000");
  script.freeze();
  script.guest->kill();
  CHECK(script.is_next<GuestExited>());
}

TEST_CASE("a signal that is sent after a thaw arrives") {
  Script script("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
  REQUIRE(script.line() == "ready");
  script.freeze();
  REQUIRE(ok(script.guest->thaw()));
  REQUIRE(ok(script.guest->signal(SIGTERM)));
  REQUIRE(script.is_next<GuestThawed>());
  CHECK(script.is_next<GuestExited>());
}

TEST_CASE("a frozen guest ends with its init") {
  Script script("sleep 1000 & exec sleep 1000");
  script.freeze();
  const pid_t init = script.guest->init_pid();
  script.guest.reset();
  CHECK(::kill(init, 0) == -1);
}
