#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

/// What runs inside a new guest between clone3(2) and the program's execve(2): the init (its PID 1) and the
/// child that becomes the program. The process is a copy of flylocal with one thread, whose other threads may
/// have held any lock, so this code makes raw system calls only: no allocation, no libc locks, no exceptions.
/// Everything it needs is prepared before as plain memory.
namespace flylocal::netns {

/// MountStep without ownership.
struct RawMountStep {
  int op;
  bool required;
  const char* source;
  std::size_t source_length;
  const char* target;
};

/// Who the program runs as, its limits and what it executes.
struct RawProgram {
  const char* const* candidates;  ///< paths to try for execve, in order, null-terminated
  char* const* argv;
  char* const* envp;
  const char* working_directory;
  bool change_user;
  uid_t uid;
  gid_t gid;
  const gid_t* groups;
  std::size_t group_count;
  std::uint64_t open_files_limit;  ///< soft and hard RLIMIT_NOFILE
};

struct RawGuest {
  char* title;  ///< the process's command line as ps shows it, to be written over; may be null
  std::size_t title_size;  ///< what the command line takes now
  std::size_t title_room;  ///< what it may take
  const RawMountStep* mounts;
  std::size_t mount_count;
  const char* hostname;
  std::size_t hostname_length;
  RawProgram program;
  int control_fd;  ///< SOCK_SEQPACKET to flylocal; its end of file means that flylocal is gone
  int output_fd;   ///< becomes the program's stdout and stderr
};

/// Where a guest or a program got stuck. Sent to flylocal with an errno and a detail (a mount step's index).
enum class InitStep : std::int32_t {
  kPrepare, kMount, kHostname, kFork, kLimits, kUser, kWorkingDirectory, kExec, kEnterGuest,
};

/// A message on the control socket, both ways.
struct ControlMessage {
  enum Kind : std::int32_t {
    kGo,       ///< to init: the network is there, start the program
    kSignal,   ///< to init: value = the signal for the program
    kFreeze,   ///< to init: stop every process in the guest but init itself
    kThaw,     ///< to init: let go on what kFreeze stopped
    kStarted,  ///< from init: the program was executed; value = its pid inside
    kExited,   ///< from init: the program ended; value = its wait status
    kFrozen,   ///< from init: kFreeze is done
    kThawed,   ///< from init: kThaw is done
    kFailed,   ///< from init: step, value = errno, detail
  };
  std::int32_t kind;
  std::int32_t value;
  std::int32_t step;
  std::int32_t detail;
  std::int64_t at_nanoseconds;  ///< of CLOCK_MONOTONIC, when init sent it
};

/// PID 1 of a guest. Never returns.
[[noreturn]] void run_guest_init(const RawGuest& guest);

/// A further program in a running guest: enters the namespaces of the guest whose init `guest_pidfd` holds, runs
/// the program on the given stdio and ends as it ended (128 + signal if by one). SIGTERM to it kills the program and
/// the rest of its process group. Failures before execve are
/// written to `failure_fd` as a ControlMessage. Never returns.
struct RawVisitor {
  int guest_pidfd;
  int namespaces;  ///< CLONE_NEW* flags for setns(2)
  int stdio[3];
  bool controlling_terminal;  ///< stdio[0] is a terminal to take over
  int failure_fd;
  RawProgram program;
};
[[noreturn]] void run_guest_visitor(const RawVisitor& visitor);

}  // namespace flylocal::netns
