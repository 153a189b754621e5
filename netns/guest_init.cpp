#include "netns/guest_init.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "netns/mount_plan.hpp"

namespace flylocal::netns {
namespace {

constexpr int kControlFd = 3;
constexpr int kOutputFd = 4;
constexpr int kKernelSignals = 64;

/// The kernel's own signal set and action, since libc's wrappers reserve signals for threads.
using KernelSigset = std::uint64_t;
struct KernelSigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  KernelSigset mask;
};

long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  return ::syscall(number, a, b, c, d, e);
}
long address(const void* pointer) { return reinterpret_cast<long>(pointer); }

[[noreturn]] void leave(int status) {
  for (;;) raw(SYS_exit_group, status);
}

void set_signal_mask(KernelSigset mask) { raw(SYS_rt_sigprocmask, SIG_SETMASK, address(&mask), 0, sizeof mask); }

/// flylocal's handlers would run in here, and what it ignores would stay ignored across execve.
void reset_signal_handlers() {
  KernelSigaction action{};
  action.handler = SIG_DFL;
  for (int signal = 1; signal <= kKernelSignals; ++signal)
    raw(SYS_rt_sigaction, signal, address(&action), 0, sizeof(KernelSigset));
}

void send_message(int fd, std::int32_t kind, std::int32_t value, InitStep step = InitStep::kPrepare,
                  std::int32_t detail = 0) {
  timespec now{};
  raw(SYS_clock_gettime, CLOCK_MONOTONIC, address(&now));
  ControlMessage message{kind, value, static_cast<std::int32_t>(step), detail, now.tv_sec * 1'000'000'000LL + now.tv_nsec};
  raw(SYS_write, fd, address(&message), sizeof message);
}

[[noreturn]] void fail(int fd, InitStep step, std::int32_t detail = 0) {
  const int error = errno;
  send_message(fd, ControlMessage::kFailed, error, step, detail);
  leave(127);
}

bool write_file(const char* path, const char* content, std::size_t length) {
  const int fd = static_cast<int>(raw(SYS_openat, AT_FDCWD, address(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd < 0) return false;
  bool written = true;
  while (length > 0) {
    const long n = raw(SYS_write, fd, address(content), static_cast<long>(length));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      written = false;
      break;
    }
    content += n;
    length -= static_cast<std::size_t>(n);
  }
  const int error = errno;
  raw(SYS_close, fd);
  errno = error;
  return written;
}

bool mount_filesystem(const char* type, const char* target, unsigned long flags, const char* data) {
  return ::syscall(SYS_mount, type, target, type, flags, data) == 0;
}

bool do_step(const RawMountStep& step) {
  using Op = MountStep::Op;
  constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  switch (static_cast<Op>(step.op)) {
    case Op::kMakeDirectory:
      return raw(SYS_mkdirat, AT_FDCWD, address(step.target), 0755) == 0 || errno == EEXIST;
    case Op::kWriteFile: return write_file(step.target, step.source, step.source_length);
    case Op::kSymlink: return raw(SYS_symlinkat, address(step.source), AT_FDCWD, address(step.target)) == 0;
    case Op::kBind: return ::syscall(SYS_mount, step.source, step.target, nullptr, MS_BIND | MS_REC, nullptr) == 0;
    case Op::kTmpfs: return mount_filesystem("tmpfs", step.target, MS_NOSUID | MS_NODEV, step.source);
    case Op::kProc: return mount_filesystem("proc", step.target, kPlain, nullptr);
    case Op::kSysfs: return mount_filesystem("sysfs", step.target, kPlain, nullptr);
    case Op::kMqueue: return mount_filesystem("mqueue", step.target, kPlain, nullptr);
    case Op::kPivotRoot:
      return raw(SYS_pivot_root, address(step.target), address(step.source)) == 0 && raw(SYS_chdir, address("/")) == 0;
    case Op::kDetach: return raw(SYS_umount2, address(step.target), MNT_DETACH) == 0;
  }
  errno = EINVAL;
  return false;
}

/// Limits, user, directory, execve. Reports on `failure_fd` (close-on-exec) and never returns.
[[noreturn]] void become(const RawProgram& program, int failure_fd) {
  const rlimit64 limit{program.open_files_limit, program.open_files_limit};
  if (raw(SYS_prlimit64, 0, RLIMIT_NOFILE, address(&limit)) != 0) fail(failure_fd, InitStep::kLimits);
  // Before the user changes: the directory may be closed to the new one, as on the platform.
  if (raw(SYS_chdir, address(program.working_directory)) != 0) fail(failure_fd, InitStep::kWorkingDirectory);
  if (program.change_user) {
    // setgroups is denied in a user namespace with a single mapping, where it could not change anything either.
    if (raw(SYS_setgroups, static_cast<long>(program.group_count), address(program.groups)) != 0 && errno != EPERM)
      fail(failure_fd, InitStep::kUser);
    if (raw(SYS_setresgid, program.gid, program.gid, program.gid) != 0) fail(failure_fd, InitStep::kUser);
    if (raw(SYS_setresuid, program.uid, program.uid, program.uid) != 0) fail(failure_fd, InitStep::kUser);
  }
  set_signal_mask(0);
  int error = ENOENT;
  for (const char* const* path = program.candidates; *path; ++path) {
    raw(SYS_execve, address(*path), address(program.argv), address(program.envp));
    // As execvp(3): a name that is missing in one directory may be in the next, and EACCES is remembered.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    if (error != ENOENT && error != EACCES) break;
  }
  errno = error;
  fail(failure_fd, InitStep::kExec);
}

/// Starts the guest's program and returns its pid; tells flylocal that it runs, or why not.
pid_t start_program(const RawGuest& guest) {
  int pipe_fds[2];
  if (raw(SYS_pipe2, address(pipe_fds), O_CLOEXEC) != 0) fail(kControlFd, InitStep::kFork);
  const pid_t child = static_cast<pid_t>(raw(SYS_clone, SIGCHLD));
  if (child < 0) fail(kControlFd, InitStep::kFork);
  if (child == 0) {
    raw(SYS_setsid);
    raw(SYS_dup3, kOutputFd, STDOUT_FILENO, 0);
    raw(SYS_dup3, kOutputFd, STDERR_FILENO, 0);
    become(guest.program, pipe_fds[1]);
  }
  raw(SYS_close, pipe_fds[1]);
  // The output pipe must end with the program, not with init.
  raw(SYS_close, kOutputFd);
  ControlMessage failure;
  const long n = raw(SYS_read, pipe_fds[0], address(&failure), sizeof failure);
  raw(SYS_close, pipe_fds[0]);
  if (n == static_cast<long>(sizeof failure)) {
    errno = failure.value;
    fail(kControlFd, static_cast<InitStep>(failure.step), failure.detail);
  }
  send_message(kControlFd, ControlMessage::kStarted, child);
  return child;
}

/// Reaps whatever ended; true (with its status) once `program` did.
bool reap(pid_t program, int& status) {
  bool ended = false;
  for (;;) {
    int one = 0;
    const pid_t pid = static_cast<pid_t>(raw(SYS_wait4, -1, address(&one), WNOHANG | __WALL));
    if (pid <= 0) return ended;
    if (pid == program) {
      status = one;
      ended = true;
    }
  }
}

/// Processes that were stopped already when the guest was frozen, which thawing leaves as they are. More than fit go on.
struct StoppedBefore {
  static constexpr int kMost = 256;
  pid_t pids[kMost];
  int count = 0;
  bool contains(pid_t pid) const {
    for (int i = 0; i < count; ++i)
      if (pids[i] == pid) return true;
    return false;
  }
};

/// Calls `visit` with every number that /proc lists as a process, and its text; 1 (ourselves) is left out.
template <class Visit>
void for_each_process(Visit visit) {
  const int directory = static_cast<int>(raw(SYS_openat, AT_FDCWD, address("/proc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory < 0) return;
  // linux_dirent64: inode (8), offset (8), record length (2), type (1), name.
  constexpr int kLengthAt = 16, kNameAt = 19;
  alignas(8) char records[8192];
  for (;;) {
    const long n = raw(SYS_getdents64, directory, address(records), sizeof records);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      const char* record = records + at;
      at += static_cast<unsigned char>(record[kLengthAt]) | static_cast<unsigned char>(record[kLengthAt + 1]) << 8;
      const char* name = record + kNameAt;
      pid_t pid = 0;
      const char* digit = name;
      for (; *digit >= '0' && *digit <= '9'; ++digit) pid = pid * 10 + (*digit - '0');
      if (*digit == '\0' && pid > 1) visit(pid, name);
    }
  }
  raw(SYS_close, directory);
}

/// Whether /proc/NAME/stat says T: stopped by a signal.
bool is_stopped(const char* name) {
  char path[32] = "/proc/";
  char* end = path + 6;
  while (*name) *end++ = *name++;
  for (const char* rest = "/stat"; *rest; ++rest) *end++ = *rest;
  const int fd = static_cast<int>(raw(SYS_openat, AT_FDCWD, address(path), O_RDONLY | O_CLOEXEC));
  if (fd < 0) return false;
  char text[128];
  const long n = raw(SYS_read, fd, address(text), sizeof text);
  raw(SYS_close, fd);
  // The state follows the name in parentheses, which may hold any character, parentheses too.
  long last = -1;
  for (long i = 0; i < n; ++i)
    if (text[i] == ')') last = i;
  return last >= 0 && last + 2 < n && text[last + 2] == 'T';
}

void freeze(StoppedBefore& before) {
  before.count = 0;
  for_each_process([&](pid_t pid, const char* name) {
    if (before.count < StoppedBefore::kMost && is_stopped(name)) before.pids[before.count++] = pid;
  });
  // All of the pid namespace but init; the kernel lets no fork slip through (kill(2), a pid of -1).
  raw(SYS_kill, -1, SIGSTOP);
}

void thaw(const StoppedBefore& before) {
  if (before.count == 0) {
    raw(SYS_kill, -1, SIGCONT);
    return;
  }
  for_each_process([&](pid_t pid, const char*) {
    if (!before.contains(pid)) raw(SYS_kill, pid, SIGCONT);
  });
}

/// What `ps` shows, in the machine and on the host, is no copy of flylocal's own command line. The kernel shows the old
/// length, or up to the first NUL behind it when a text is longer.
void set_title(const RawGuest& guest) {
  constexpr char kTitle[] = "flylocal-init";
  if (guest.title_room < sizeof kTitle) return;
  for (std::size_t i = 0; i < guest.title_size || i < sizeof kTitle; ++i) guest.title[i] = i < sizeof kTitle ? kTitle[i] : '\0';
}

}  // namespace

void run_guest_init(const RawGuest& guest) {
  // All signals are blocked since before the clone, so none of flylocal's handlers can run in here.
  reset_signal_handlers();
  // Out of flylocal's process group: a Ctrl-C on its terminal is for flylocal, which then sends kill_signal.
  raw(SYS_setsid);
  raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  raw(SYS_prctl, PR_SET_NAME, address("flylocal-init"));
  set_title(guest);

  // The two descriptors this guest needs, then nothing of flylocal's: not its listeners, nor the other guests'
  // control sockets, whose end of file must come when flylocal dies.
  const int high_control = static_cast<int>(raw(SYS_fcntl, guest.control_fd, F_DUPFD_CLOEXEC, 10));
  const int high_output = static_cast<int>(raw(SYS_fcntl, guest.output_fd, F_DUPFD_CLOEXEC, 10));
  if (high_control < 0 || high_output < 0) leave(127);
  raw(SYS_dup3, high_control, kControlFd, O_CLOEXEC);
  raw(SYS_dup3, high_output, kOutputFd, O_CLOEXEC);
  raw(SYS_close_range, kOutputFd + 1, ~0U, 0);
  const int null = static_cast<int>(raw(SYS_openat, AT_FDCWD, address("/dev/null"), O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd <= 2; ++fd) raw(SYS_dup3, null, fd, 0);
  raw(SYS_close, null);

  // What the guest mounts must not reach the host, nor the host's later mounts the guest.
  if (::syscall(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail(kControlFd, InitStep::kMount, -1);
  for (std::size_t i = 0; i < guest.mount_count; ++i)
    if (!do_step(guest.mounts[i]) && guest.mounts[i].required) fail(kControlFd, InitStep::kMount, static_cast<int>(i));
  if (raw(SYS_sethostname, address(guest.hostname), static_cast<long>(guest.hostname_length)) != 0)
    fail(kControlFd, InitStep::kHostname);

  KernelSigset all = ~KernelSigset{0};
  const int signals = static_cast<int>(raw(SYS_signalfd4, -1, address(&all), sizeof all, SFD_CLOEXEC));
  if (signals < 0) fail(kControlFd, InitStep::kPrepare);

  pid_t program = 0;
  bool frozen = false;
  StoppedBefore stopped_before;
  for (;;) {
    pollfd waits[2] = {{kControlFd, POLLIN, 0}, {signals, POLLIN, 0}};
    raw(SYS_ppoll, address(waits), 2, 0, 0, 0);
    if (waits[0].revents) {
      ControlMessage message;
      const long n = raw(SYS_recvfrom, kControlFd, address(&message), sizeof message, MSG_DONTWAIT);
      // End of file: flylocal is gone. With PID 1 the kernel ends everything in the guest.
      if (n == 0) leave(0);
      if (n == static_cast<long>(sizeof message)) {
        if (message.kind == ControlMessage::kGo && program == 0) program = start_program(guest);
        if (message.kind == ControlMessage::kSignal && program > 0) raw(SYS_kill, program, message.value);
        if (message.kind == ControlMessage::kFreeze) {
          if (!frozen) freeze(stopped_before);
          frozen = true;
          send_message(kControlFd, ControlMessage::kFrozen, 0);
        }
        if (message.kind == ControlMessage::kThaw) {
          if (frozen) thaw(stopped_before);
          frozen = false;
          send_message(kControlFd, ControlMessage::kThawed, 0);
        }
      }
    }
    if (waits[1].revents) {
      signalfd_siginfo record;
      if (raw(SYS_read, signals, address(&record), sizeof record) != static_cast<long>(sizeof record)) continue;
      if (record.ssi_signo != SIGCHLD) {
        if (program > 0) raw(SYS_kill, program, record.ssi_signo);
        continue;
      }
      int status = 0;
      if (reap(program, status)) {
        send_message(kControlFd, ControlMessage::kExited, status);
        leave(0);
      }
    }
  }
}

void run_guest_visitor(const RawVisitor& visitor) {
  reset_signal_handlers();
  raw(SYS_setsid);
  raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  // Out of the way of 0-2, then into place; everything else is closed.
  int fds[5];
  const int wanted[5] = {visitor.stdio[0], visitor.stdio[1], visitor.stdio[2], visitor.failure_fd, visitor.guest_pidfd};
  for (int i = 0; i < 5; ++i) {
    fds[i] = static_cast<int>(raw(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, 10));
    if (fds[i] < 0) leave(127);
  }
  for (int i = 0; i < 3; ++i) raw(SYS_dup3, fds[i], i, 0);
  constexpr int kFailureFd = 3, kGuestFd = 4;
  raw(SYS_dup3, fds[3], kFailureFd, O_CLOEXEC);
  raw(SYS_dup3, fds[4], kGuestFd, O_CLOEXEC);
  raw(SYS_close_range, kGuestFd + 1, ~0U, 0);

  if (raw(SYS_setns, kGuestFd, visitor.namespaces) != 0) fail(kFailureFd, InitStep::kEnterGuest);
  // setns(2): a pid namespace is entered by one's children only.
  const pid_t child = static_cast<pid_t>(raw(SYS_clone, SIGCHLD));
  if (child < 0) fail(kFailureFd, InitStep::kFork);
  if (child == 0) {
    raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    raw(SYS_setsid);
    if (visitor.controlling_terminal) raw(SYS_ioctl, STDIN_FILENO, TIOCSCTTY, 0);
    become(visitor.program, kFailureFd);
  }
  for (int fd = 0; fd <= kGuestFd; ++fd) raw(SYS_close, fd);
  KernelSigset wanted_signals = KernelSigset{1} << (SIGCHLD - 1) | KernelSigset{1} << (SIGTERM - 1);
  const int signals = static_cast<int>(raw(SYS_signalfd4, -1, address(&wanted_signals), sizeof wanted_signals, SFD_CLOEXEC));
  int status = 0;
  while (raw(SYS_wait4, child, address(&status), signals < 0 ? __WALL : __WALL | WNOHANG) <= 0) {
    signalfd_siginfo record{};
    raw(SYS_read, signals, address(&record), sizeof record);
    if (record.ssi_signo != SIGTERM) continue;
    // Its session is its own. It is not left to others to reap: a zombie would keep the guest's pid namespace from ending.
    raw(SYS_kill, -child, SIGKILL);
    raw(SYS_kill, child, SIGKILL);
  }
  leave(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace flylocal::netns
