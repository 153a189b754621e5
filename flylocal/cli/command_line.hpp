#pragma once

namespace flylocal::cli {

/// Reads the command line, runs the command and returns its ExitCode.
int run_command_line(int argc, char** argv);

}  // namespace flylocal::cli
