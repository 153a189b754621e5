#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/project/app_spec.hpp"

namespace flylocal::project {

/// The region of a project that names none. Real code, so that an app's own tables know it.
inline constexpr const char* kDefaultRegion = "iad";

struct LoadOptions {
  std::optional<std::string> command;      ///< --cmd
  std::optional<std::string> config_file;  ///< --config: another file than fly.toml in the directory
};

struct LoadedProject {
  std::optional<AppSpec> app;         ///< absent when there are errors
  std::vector<std::string> problems;  ///< rendered for the user, one a line
  std::vector<std::string> notes;     ///< what is worth knowing, rendered
};

/// Reads fly.toml, flylocal.toml, the secrets file and the Dockerfile of a project and works out what its
/// machines run. Collects the problems of all files.
LoadedProject load_project(const std::filesystem::path& directory, const LoadOptions& options);

}  // namespace flylocal::project
