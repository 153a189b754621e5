#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::sandbox {

/// A command's end and what it printed, each stream cut off at kMaxOutputBytes.
struct CommandOutcome {
  int exit_code = 0;
  std::string output;
  std::string error_output;
};
inline constexpr std::size_t kMaxOutputBytes = 1024 * 1024;

/// The command line with the machine's environment, directory and user. `terminal` is the client's TERM, if any.
netns::GuestProgram visitor_program(const Machine& machine, std::vector<std::string> argv, const std::string& terminal = {});

/// Runs a command beside a machine's program, without input. Error: the machine does not run, the command cannot be
/// executed, or it takes longer than `time_limit` (then it is killed).
Task<Result<CommandOutcome>> run_in_machine(Sandbox& sandbox, Machine& machine, std::vector<std::string> argv,
                                            std::chrono::milliseconds time_limit);

}  // namespace flylocal::sandbox
