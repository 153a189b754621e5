#include "netns/guest.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>

#include "netns/guest_init.hpp"

namespace flylocal::netns {
namespace {

constexpr std::uint64_t kGuestNamespaces = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;

/// A GuestProgram as the plain memory that guest_init wants; points into itself and into the program.
class PreparedProgram {
 public:
  explicit PreparedProgram(const GuestProgram& program) : program_(program) {
    for (const std::string& word : program.argv) argv_.push_back(const_cast<char*>(word.c_str()));
    argv_.push_back(nullptr);
    for (const std::string& variable : program.env) envp_.push_back(const_cast<char*>(variable.c_str()));
    envp_.push_back(nullptr);
    find_candidates();
    for (const std::string& path : paths_) candidates_.push_back(path.c_str());
    candidates_.push_back(nullptr);
  }
  PreparedProgram(const PreparedProgram&) = delete;

  RawProgram raw() const {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    RawProgram raw{};
    raw.candidates = candidates_.data();
    raw.argv = argv_.data();
    raw.envp = envp_.data();
    raw.working_directory = program_.working_directory.c_str();
    if (program_.user) {
      raw.change_user = true;
      raw.uid = program_.user->uid;
      raw.gid = program_.user->gid;
      raw.groups = program_.user->groups.data();
      raw.group_count = program_.user->groups.size();
    }
    raw.open_files_limit = std::min<std::uint64_t>(program_.open_files_limit, limit.rlim_max);
    return raw;
  }

 private:
  void find_candidates() {
    const std::string& name = program_.path.empty() ? program_.argv.front() : program_.path;
    if (name.find('/') != std::string::npos) {
      paths_.push_back(name);
      return;
    }
    std::string_view path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const std::string& variable : program_.env)
      if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
    for (std::size_t begin = 0; begin <= path.size();) {
      std::size_t end = std::min(path.find(':', begin), path.size());
      std::string directory(path.substr(begin, end - begin));
      paths_.push_back(directory.empty() ? name : directory + "/" + name);
      begin = end + 1;
    }
  }

  const GuestProgram& program_;
  std::vector<char*> argv_, envp_;
  std::vector<std::string> paths_;
  std::vector<const char*> candidates_;
};

/// While it lives the calling thread receives no signal, so that a child can be cloned that runs no handler.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

/// Where this process's command line lies (proc(5), /proc/PID/stat: arg_start to env_end); empty when unknown.
struct CommandLineMemory {
  std::size_t size = 0;
  std::span<char> room;  ///< with the environment behind it, which a longer text may run into
};

CommandLineMemory command_line_memory() {
  std::ifstream file("/proc/self/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  // The second field is the program's name, which may hold anything.
  std::istringstream rest(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::uintptr_t arguments_begin = 0, arguments_end = 0, environment_begin = 0, environment_end = 0;
  std::string skipped;
  for (int field = 3; field < 48; ++field) rest >> skipped;
  rest >> arguments_begin >> arguments_end >> environment_begin >> environment_end;
  if (!rest || arguments_begin >= arguments_end) return {};
  const std::uintptr_t end = environment_begin == arguments_end ? std::max(arguments_end, environment_end) : arguments_end;
  return {arguments_end - arguments_begin, {reinterpret_cast<char*>(arguments_begin), end - arguments_begin}};
}

struct Clone {
  pid_t pid;
  UniqueFd pidfd;
};

/// clone3(2) without a stack of its own: like fork, the child goes on in a copy of this thread. pid is 0 there.
Result<Clone> clone_process(std::uint64_t namespaces) {
  int pidfd = -1;
  clone_args args{};
  args.flags = namespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const pid_t pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) return system_error("clone a process into new namespaces", errno);
  return Clone{pid, UniqueFd(pid == 0 ? -1 : pidfd)};
}

Error step_error(const ControlMessage& message, const std::vector<MountStep>& mounts, const std::string& program,
                 const std::string& directory) {
  std::string act = "prepare the machine";
  switch (static_cast<InitStep>(message.step)) {
    case InitStep::kPrepare: break;
    case InitStep::kMount: {
      auto index = static_cast<std::size_t>(message.detail);
      act = message.detail >= 0 && index < mounts.size() ? describe(mounts[index]) : "make the mounts private";
      break;
    }
    case InitStep::kHostname: act = "set the hostname"; break;
    case InitStep::kFork: act = "fork the program"; break;
    case InitStep::kLimits: act = "set the limit of open files"; break;
    case InitStep::kUser: act = "change to the program's user"; break;
    case InitStep::kWorkingDirectory: act = "enter the working directory " + directory; break;
    case InitStep::kExec: act = "execute " + program; break;
    case InitStep::kEnterGuest: act = "enter the machine's namespaces"; break;
  }
  return system_error(act, message.value);
}

void wait_for_end(int pidfd) {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<Guest> Guest::create(const GuestSpec& spec) {
  if (spec.program.argv.empty()) return Error{"a machine needs a program to run"};
  auto mounts = plan_mounts(spec.files, spec.binds);
  if (!mounts) return mounts.error();

  Guest guest;
  guest.mounts_ = std::move(*mounts);
  guest.program_name_ = spec.program.argv.front();
  guest.working_directory_ = spec.program.working_directory;
  int control[2], output[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) return system_error("socketpair", errno);
  UniqueFd control_inside(control[1]);
  guest.control_.reset(control[0]);
  if (::pipe2(output, O_CLOEXEC) != 0) return system_error("pipe2", errno);
  UniqueFd output_inside(output[1]);
  guest.output_.reset(output[0]);

  std::vector<RawMountStep> steps;
  for (const MountStep& step : guest.mounts_)
    steps.push_back({static_cast<int>(step.op), step.need == MountStep::Need::kRequired, step.source.c_str(),
                     step.source.size(), step.target.c_str()});
  PreparedProgram program(spec.program);
  static const CommandLineMemory title = command_line_memory();
  RawGuest raw{title.room.data(), title.size, title.room.size(), steps.data(), steps.size(), spec.hostname.c_str(), spec.hostname.size(), program.raw(),
               control_inside.get(), output_inside.get()};

  SignalsBlocked blocked;
  auto cloned = clone_process(kGuestNamespaces);
  if (!cloned) return cloned.error();
  if (cloned->pid == 0) run_guest_init(raw);
  guest.init_pid_ = cloned->pid;
  guest.pidfd_ = std::move(cloned->pidfd);
  return guest;
}

Guest::~Guest() {
  if (!pidfd_) return;
  kill();
  reap();
}

void Guest::reap() {
  wait_for_end(pidfd_.get());
  pidfd_.reset();
}

Result<> Guest::go() {
  ControlMessage message{ControlMessage::kGo, 0, 0, 0, 0};
  if (::send(control_.get(), &message, sizeof message, MSG_NOSIGNAL) < 0) return system_error("start the machine's init", errno);
  return {};
}

Result<> Guest::signal(int signal) {
  return tell(ControlMessage::kSignal, signal, fmt::format("send signal {} to the machine", signal));
}

Result<> Guest::freeze() { return tell(ControlMessage::kFreeze, 0, "freeze the machine"); }

Result<> Guest::thaw() { return tell(ControlMessage::kThaw, 0, "thaw the machine"); }

Result<> Guest::tell(int kind, int value, const std::string& act) {
  ControlMessage message{kind, value, 0, 0, 0};
  if (::send(control_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return system_error(act, errno);
  return {};
}

void Guest::kill() {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::optional<GuestEvent> Guest::next_event() {
  ControlMessage message;
  const ssize_t n = ::recv(control_.get(), &message, sizeof message, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (n != static_cast<ssize_t>(sizeof message)) return GuestExited{SIGKILL};  // a wait status of "killed by SIGKILL"
  switch (message.kind) {
    case ControlMessage::kStarted: return GuestStarted{message.value, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(message.at_nanoseconds))};
    case ControlMessage::kExited: return GuestExited{message.value};
    case ControlMessage::kFrozen: return GuestFrozen{};
    case ControlMessage::kThawed: return GuestThawed{};
    default: return GuestFailed{step_error(message, mounts_, program_name_, working_directory_)};
  }
}

Result<GuestVisitor> GuestVisitor::start(int guest_pidfd, const GuestProgram& program, const Stdio& stdio) {
  if (program.argv.empty()) return Error{"no command to run in the machine"};
  int failure[2];
  if (::pipe2(failure, O_CLOEXEC) != 0) return system_error("pipe2", errno);
  UniqueFd failure_read(failure[0]), failure_write(failure[1]);
  PreparedProgram prepared(program);
  RawVisitor raw{guest_pidfd, static_cast<int>(kGuestNamespaces), {stdio.in, stdio.out, stdio.err},
                 stdio.is_terminal, failure_write.get(), prepared.raw()};
  GuestVisitor visitor;
  {
    SignalsBlocked blocked;
    auto cloned = clone_process(0);
    if (!cloned) return cloned.error();
    if (cloned->pid == 0) run_guest_visitor(raw);
    visitor.pidfd_ = std::move(cloned->pidfd);
  }
  failure_write.reset();
  ControlMessage message;
  ssize_t n;
  while ((n = ::read(failure_read.get(), &message, sizeof message)) < 0 && errno == EINTR) {
  }
  if (n == static_cast<ssize_t>(sizeof message))
    return step_error(message, {}, program.argv.front(), program.working_directory);
  return visitor;
}

GuestVisitor::~GuestVisitor() {
  if (!pidfd_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0);
  wait_for_end(pidfd_.get());
}

int GuestVisitor::exit_code() {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED | __WALL) < 0 && errno == EINTR) {
  }
  pidfd_.reset();
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace flylocal::netns
