#pragma once

#include <string>
#include <vector>

namespace flylocal::cli {

struct ConsoleOptions {
  std::string app, machine;
  std::string command;  ///< -C: a command line; empty: a shell
};

/// Runs a program in the started machine of `app`, with this process's stdio, and returns its exit code.
int run_in_machine(const std::string& app, const std::vector<std::string>& words);

/// `flylocal ssh console`: a shell or a command inside a machine's namespaces, with the caller's terminal if it has
/// one. Returns the command's exit code.
int ssh_console(const ConsoleOptions& options);

}  // namespace flylocal::cli
