#pragma once

#include "flylocal/cli/report_output.hpp"
#include "flylocal/cli/run_sandbox.hpp"

namespace flylocal::cli {

struct CheckOptions {
  ProjectOptions projects;
  ReportOptions report;
};

/// `flylocal check`: up, report, down; or the report of the sandbox that already runs the same projects.
int check(const CheckOptions& options);

}  // namespace flylocal::cli
