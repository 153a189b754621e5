#pragma once

#include <string>

namespace flylocal::cli {

struct ConsoleOptions {
  std::string app, machine;
  std::string command;  ///< -C: a command line; empty: a shell
};

/// `flylocal ssh console`: a shell or a command inside a machine's namespaces, with the caller's terminal if it has
/// one. Returns the command's exit code.
int ssh_console(const ConsoleOptions& options);

}  // namespace flylocal::cli
