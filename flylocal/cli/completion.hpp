#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace flylocal::cli {

/// A completion script for `shell` (bash, zsh or fish), made from the commands themselves so that it cannot lag
/// behind them. Nothing for another shell.
std::optional<std::string> completion_script(const CLI::App& program, const std::string& shell);

}  // namespace flylocal::cli
