#include "flylocal/cli/test.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "flylocal/cli/console.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/test_sandbox.hpp"

namespace flylocal::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTerminationGrace = 5s;  // between SIGTERM and SIGKILL for a command that took too long
constexpr int kSignalBase = 128;

/// A signal that ends a run.
struct Ending {
  int number = 0;
  bool is_from_terminal = false;  ///< then it went to the whole foreground group
};

/// These signals as a descriptor; they are blocked meanwhile.
class EndingSignals {
 public:
  EndingSignals() {
    sigset_t ending;
    sigemptyset(&ending);
    for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, number);
    ::sigprocmask(SIG_BLOCK, &ending, &before_);
    fd_.reset(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  int fd() const { return fd_.get(); }
  /// The next one; nothing when there is none.
  std::optional<Ending> next() const {
    signalfd_siginfo info;
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return Ending{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
  }
  /// The signal mask as it was before, which a child is to have.
  const sigset_t& mask_before() const { return before_; }

 private:
  sigset_t before_;
  UniqueFd fd_;
};

/// The tested command.
class Command {
 public:
  /// In the caller's place and as the caller, or inside. Complains and returns nothing when there is no process to be had.
  static std::optional<Command> start(const TestOptions& options, TestSandbox& sandbox, const EndingSignals& signals) {
    Command command;
    // With a terminal it stays in the foreground group, which gets Ctrl-C itself; else it gets a group that can be signalled whole.
    command.own_group_ = ::isatty(STDIN_FILENO) == 0;
    command.pid_ = ::fork();
    if (command.pid_ < 0) {
      complain(system_error("fork", errno).message);
      return std::nullopt;
    }
    if (command.pid_ == 0) {
      if (command.own_group_) ::setpgid(0, 0);
      sandbox.let_go();
      ::sigprocmask(SIG_SETMASK, &signals.mask_before(), nullptr);
      std::exit(options.inside ? run_inside(options.command, sandbox.variables()) : run_here(options.command, sandbox.variables()));
    }
    if (command.own_group_) ::setpgid(command.pid_, command.pid_);
    command.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, command.pid_, 0)));
    if (!command.pidfd_) {
      complain(system_error("open a process", errno).message);
      command.signal(SIGKILL);
      command.exit_code();
      return std::nullopt;
    }
    sandbox.entrust(command.target());
    return command;
  }
  int pidfd() const { return pidfd_.get(); }
  void signal(int number) const { ::kill(target(), number); }
  /// Whether a terminal's signals reach it without us.
  bool has_terminal() const { return !own_group_; }
  int exit_code() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
  }

 private:
  static int run_here(const std::vector<std::string>& words, const std::vector<std::string>& variables) {
    for (const std::string& variable : variables) {
      const std::size_t equals = variable.find('=');
      ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
    }
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    const int reason = errno;
    complain(fmt::format("run {}: {}", words.front(), std::strerror(reason)));
    constexpr int kNotFound = 127, kNotExecutable = 126;
    return reason == ENOENT ? kNotFound : kNotExecutable;
  }
  static int run_inside(const std::vector<std::string>& words, const std::vector<std::string>& variables) {
    std::vector<std::string> with_variables{"env"};
    with_variables.insert(with_variables.end(), variables.begin(), variables.end());
    with_variables.insert(with_variables.end(), words.begin(), words.end());
    return run_in_machine(kPeerApp, with_variables);
  }
  /// As kill(2) takes it: a group is a negative number.
  pid_t target() const { return own_group_ ? -pid_ : pid_; }

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  bool own_group_ = false;
};

int until(std::optional<Clock::time_point> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 1'000'000));
}

/// Waits until `sandbox` is ready. 0; or the signal that came first, or -1 when the sandbox ended.
int wait_until_ready(TestSandbox& sandbox, const EndingSignals& signals) {
  for (;;) {
    pollfd waits[] = {{sandbox.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return -1;
    if (const auto ending = signals.next()) return ending->number;
    if (sandbox.read_variables()) return 0;
    if (sandbox.has_ended()) return -1;
  }
}

/// Runs the command to its end, or to that of its time, of the sandbox, or of the user's patience.
int run_command(const TestOptions& options, TestSandbox& sandbox, const EndingSignals& signals, std::optional<std::chrono::milliseconds> limit) {
  auto command = Command::start(options, sandbox, signals);
  if (!command) return kCannotRun;
  std::optional<Clock::time_point> deadline;
  if (limit) deadline = Clock::now() + *limit;
  std::optional<int> verdict;  // what is told instead of the command's own exit code
  bool signalled = false;
  for (;;) {
    pollfd waits[] = {{command->pidfd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}, {sandbox.pidfd(), POLLIN, 0}};
    if (verdict) waits[2].fd = -1;
    const int ready = ::poll(waits, 3, until(deadline));
    if (ready < 0 && errno != EINTR) return kCannotRun;
    if (waits[0].revents) {
      // The command may have gone and left its children, for whom the time is over as well.
      if (verdict) command->signal(SIGKILL);
      const int code = command->exit_code();
      sandbox.entrust(0);
      return verdict.value_or(code);
    }
    if (const auto ending = signals.next()) {
      if (signalled || !command->has_terminal() || !ending->is_from_terminal) command->signal(signalled ? SIGKILL : ending->number);
      signalled = true;
    }
    if (waits[2].revents && !verdict) {
      complain("the sandbox has ended before the command");
      verdict = kCannotRun;
      command->signal(SIGTERM);
      deadline = Clock::now() + kTerminationGrace;
    } else if (deadline && Clock::now() >= *deadline) {
      if (verdict) {
        command->signal(SIGKILL);
        deadline.reset();
      } else {
        complain(fmt::format("the command took longer than {}", options.time_limit));
        verdict = kCommandTimedOut;
        command->signal(SIGTERM);
        deadline = Clock::now() + kTerminationGrace;
      }
    }
  }
}

/// Lets the sandbox stop its machines in order; the next signal takes their time away, one more kills the sandbox.
int end_sandbox(TestSandbox& sandbox, const EndingSignals& signals) {
  sandbox.ask_to_end();
  for (bool hurried = false;;) {
    pollfd waits[] = {{sandbox.pidfd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) break;
    if (waits[0].revents) break;
    if (!signals.next()) continue;
    if (hurried) sandbox.kill();
    else sandbox.hurry();
    hurried = true;
  }
  return sandbox.finish();
}

}  // namespace

int test(const TestOptions& options) {
  if (options.command.empty()) {
    complain("no COMMAND: `flylocal test [DIR...] -- COMMAND...`, e.g. `flylocal test -- npm test`");
    return kCannotRun;
  }
  const auto plan = understand(options.report);
  if (!plan) return kCannotRun;
  std::optional<std::chrono::milliseconds> limit;
  if (!options.time_limit.empty()) {
    limit = parse_limit("--time-limit", options.time_limit);
    if (!limit) return kCannotRun;
  }
  const EndingSignals signals;
  auto sandbox = TestSandbox::start(options, *plan, signals.mask_before());
  if (!sandbox) return kCannotRun;
  const int obstacle = wait_until_ready(*sandbox, signals);
  if (obstacle < 0) return end_sandbox(*sandbox, signals);
  const int code = obstacle > 0 ? kSignalBase + obstacle : run_command(options, *sandbox, signals, limit);
  end_sandbox(*sandbox, signals);
  return code;
}

}  // namespace flylocal::cli
