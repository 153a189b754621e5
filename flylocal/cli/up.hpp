#pragma once

#include "flylocal/cli/run_sandbox.hpp"

namespace flylocal::cli {

struct UpOptions {
  ProjectOptions projects;
  bool detach = false;
  bool no_http_probe = false;
};

/// `flylocal up`: runs until it is told to stop, showing progress, the bind report and the machines' logs.
int up(const UpOptions& options);

}  // namespace flylocal::cli
