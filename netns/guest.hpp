#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"
#include "netns/mount_plan.hpp"

namespace flylocal::netns {

/// Ids that a program gets, as seen inside.
struct GuestUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

/// A program to run in a guest.
struct GuestProgram {
  std::vector<std::string> argv;
  std::string path;  ///< the executable; empty: argv[0], looked up in PATH of `env` where it has no slash
  std::vector<std::string> env;   ///< "NAME=value"; nothing of flylocal's own is added
  std::string working_directory;
  std::optional<GuestUser> user;  ///< none: root of the guest
  std::uint64_t open_files_limit = 10240;  ///< RLIMIT_NOFILE, soft and hard; lowered to flylocal's own hard limit
};

struct GuestSpec {
  std::string hostname;
  std::vector<GuestFile> files;
  std::vector<BindMount> binds;
  GuestProgram program;
};

/// What a guest's init reports: the first three once each and in this order (GuestFailed may stand for either).
struct GuestStarted {
  pid_t pid;  ///< of the program, inside the guest
  std::chrono::steady_clock::time_point at;  ///< when init saw that it was executed
};
struct GuestExited {
  int wait_status;  ///< as of waitpid(2)
};
struct GuestFailed {
  Error error;
};
/// The answers to freeze() and thaw(), each time.
struct GuestFrozen {};
struct GuestThawed {};
using GuestEvent = std::variant<GuestStarted, GuestExited, GuestFailed, GuestFrozen, GuestThawed>;

/// A process tree in namespaces of its own (network, mount, pid, uts, ipc) under an init of ours as its PID 1.
///
/// Theory of operation. create() clones the init, which arranges its mounts and waits; the caller attaches the
/// guest's network meanwhile and says go(). The init starts the program, passes signals on, reaps orphans, and
/// ends when the program ends; then the kernel ends all that is left in the guest. It also ends when flylocal
/// ends, however that happens: by the parent-death signal, which is sent when the *thread* that called create()
/// ends (so that thread must live as long as the guest may), and by the end of file of the control socket.
class Guest {
 public:
  /// The guest's namespaces exist when this returns; its program does not run yet. Errors name the step.
  static Result<Guest> create(const GuestSpec& spec);
  Guest(Guest&&) = default;
  Guest& operator=(Guest&&) = default;
  /// Kills what still runs, and waits until the kernel has ended it.
  ~Guest();

  /// The init's pid as flylocal sees it; /proc/<pid>/root is the guest's file system.
  pid_t init_pid() const { return init_pid_; }
  /// Readable when the init has ended (pidfd_open(2)).
  int pidfd() const { return pidfd_.get(); }
  /// Readable when next_event() has something, also at the init's end.
  int control_fd() const { return control_.get(); }
  /// The program's stdout and stderr, merged; ends when its last holder is gone. To be taken once.
  UniqueFd take_output() { return std::move(output_); }

  Result<> go();
  /// Sends `signal` to the program (not to its children).
  Result<> signal(int signal);
  /// Asks for a stop of all processes in the guest, as they are: their memory and the kernel's side of their sockets stay,
  /// and they take no time. GuestFrozen says that it is done. What is stopped can still be killed.
  Result<> freeze();
  /// Lets them go on, all but those that were stopped before freeze(); GuestThawed says that it is done.
  Result<> thaw();
  /// Ends everything in the guest at once.
  void kill();

  /// The next report without waiting; nothing when there is none. After the init's end without a report (it was
  /// killed from outside), a GuestExited with the status of a SIGKILL.
  std::optional<GuestEvent> next_event();

 private:
  Guest() = default;
  Result<> tell(int kind, int value, const std::string& act);
  void reap();

  std::vector<MountStep> mounts_;  // to name the step in a failure
  std::string program_name_;
  std::string working_directory_;
  pid_t init_pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd control_;
  UniqueFd output_;
};

/// A program beside the main one in a running guest (`ssh console`, `exec`).
class GuestVisitor {
 public:
  struct Stdio {
    int in, out, err;  ///< borrowed
    bool is_terminal;  ///< `in` is a terminal that the program shall control
  };
  /// Returns when the program was executed in the guest whose init `guest_pidfd` (borrowed) holds, or why it could
  /// not be. It ends with the guest or with this object.
  static Result<GuestVisitor> start(int guest_pidfd, const GuestProgram& program, const Stdio& stdio);
  GuestVisitor(GuestVisitor&&) = default;
  GuestVisitor& operator=(GuestVisitor&&) = default;
  ~GuestVisitor();

  /// Readable when the program has ended.
  int pidfd() const { return pidfd_.get(); }
  /// The exit code (128 + signal number if by a signal), once pidfd() is readable; reaps.
  int exit_code();

 private:
  GuestVisitor() = default;
  UniqueFd pidfd_;
};

}  // namespace flylocal::netns
