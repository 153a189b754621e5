#pragma once

namespace flylocal::cli {

/// What flylocal ends with. Stable: scripts and CI depend on it.
enum ExitCode : int {
  kOk = 0,
  kProblem = 1,    ///< it ran, and something is not well (a bind problem, a failed request, an invalid file)
  kCannotRun = 2,  ///< it could not do what it was asked to (bad usage, no sandbox, the host forbids it)
  kCommandTimedOut = 124,  ///< the command of `test` took too long; as timeout(1) has it
};

}  // namespace flylocal::cli
