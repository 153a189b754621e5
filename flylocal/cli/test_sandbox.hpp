#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "flylocal/base/unique_fd.hpp"
#include "flylocal/cli/test.hpp"

namespace flylocal::cli {

/// A sandbox in a process of its own, with a state directory of its own, for as long as this object lives.
///
/// Theory of operation. The sandbox's process may become root of a user namespace, which cannot be left again, while the
/// tested command is to run as the caller; so it is a fork, made while the caller has one thread. Both ends of a socket
/// pair hold them together: the sandbox writes the command's variables and goes when it reads the end of file, which also
/// comes when the caller is killed. What the caller entrusted to it is killed then, too.
class TestSandbox {
 public:
  /// Starts it, with `signals` as its signal mask. Complains and returns nothing when that is not possible. In the fork
  /// itself this does not return.
  static std::optional<TestSandbox> start(const TestOptions& options, const ReportPlan& plan, const sigset_t& signals);
  TestSandbox(TestSandbox&&) = default;
  TestSandbox& operator=(TestSandbox&&) = delete;
  /// end() has to be called first.
  ~TestSandbox() = default;

  /// Readable when it has something to say, or has ended.
  int fd() const { return link_.get(); }
  /// Reads what there is. True once the report is good and all variables are there.
  bool read_variables();
  /// Whether it will say nothing more.
  bool has_ended() const { return ended_; }
  /// "NAME=value" for the command's environment.
  const std::vector<std::string>& variables() const { return variables_; }

  /// Has the sandbox kill `who` (as kill(2) has it: a process, or a group as a negative number) when it finds the caller
  /// gone; 0: nobody any more.
  void entrust(pid_t who) const;
  /// For a fork of the caller, which must not keep the sandbox alive in the caller's place.
  void let_go() { link_.reset(); }

  /// Asks it to go. finish() follows, once pidfd() is readable.
  void ask_to_end() { link_.reset(); }
  /// After ask_to_end(): its machines get no time to end.
  void hurry() const;
  /// Kills it; the kernel takes the machines along.
  void kill();
  /// Readable when the process is gone.
  int pidfd() const { return pidfd_.get(); }
  /// Its exit code, once pidfd() is readable; removes its state.
  int finish();

 private:
  TestSandbox() = default;
  std::string directory_;
  UniqueFd link_;
  UniqueFd pidfd_;
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string unread_;
  std::vector<std::string> variables_;
};

}  // namespace flylocal::cli
