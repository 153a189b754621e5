#pragma once

#include <string>
#include <vector>

#include "flylocal/cli/report_output.hpp"
#include "flylocal/cli/run_sandbox.hpp"

namespace flylocal::cli {

struct TestOptions {
  ProjectOptions projects;
  ReportOptions report;
  bool inside = false;               ///< COMMAND runs in a machine of its own on the network, not on the host
  std::string time_limit;            ///< of COMMAND; empty: none
  bool logs = false;                 ///< the machines' output goes to stderr
  std::vector<std::string> command;  ///< COMMAND and its arguments
};

/// `flylocal test [options] -- COMMAND...`: a sandbox of its own, with its own state and ports, around a command. Returns
/// COMMAND's exit code; kProblem without having run it when the report is not good; kCommandTimedOut when it took too long.
int test(const TestOptions& options);

}  // namespace flylocal::cli
