#pragma once

#include <filesystem>
#include <string>

namespace flylocal::cli {

struct ConfigOptions {
  std::filesystem::path directory = ".";
  std::string file;  ///< --config; empty: fly.toml in the directory
  bool json = false;
};

/// `flylocal config validate`: everything `up` would say of the files, without running anything.
int config_validate(const ConfigOptions& options);
/// `flylocal config show`: the model as JSON.
int config_show(const ConfigOptions& options);

}  // namespace flylocal::cli
