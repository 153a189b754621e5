#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/config/app_config.hpp"
#include "flylocal/config/problem.hpp"

namespace flylocal::config {

struct ParsedConfig {
  std::optional<AppConfig> config;  ///< absent exactly when there is an error among the problems
  std::vector<Problem> problems;    ///< in the order of the file
};

/// The largest fly.toml that is read; real ones are a few kilobytes.
inline constexpr std::size_t kMaxFlyTomlBytes = 1024 * 1024;

/// Reads the text of a fly.toml as flyctl does (platform.md section 7), and says all that is wrong with it.
/// `file_name` is only shown; its directory, if it has one, lends its name to the suggestion for a missing
/// `app`.
ParsedConfig parse_fly_toml(std::string_view text, std::string file_name);

/// The same from a file. A missing, unreadable or too large file, a directory, and the .json and .yaml forms
/// that flyctl also takes are problems too.
ParsedConfig load_fly_toml(const std::filesystem::path& path);

}  // namespace flylocal::config
