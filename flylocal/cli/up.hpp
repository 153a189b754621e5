#pragma once

#include <chrono>
#include <optional>

#include "flylocal/cli/run_sandbox.hpp"

namespace flylocal::cli {

struct UpOptions {
  ProjectOptions projects;
  bool detach = false;
};

/// `flylocal up`: runs until it is told to stop, showing progress, the bind report and the machines' logs.
int up(const UpOptions& options);

struct CheckOptions {
  ProjectOptions projects;
  bool json = false;
  std::optional<std::chrono::milliseconds> time_limit;
};

/// `flylocal check`: up, report, down; or the report of the sandbox that already runs the same projects.
int check(const CheckOptions& options);

}  // namespace flylocal::cli
