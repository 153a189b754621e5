#include "flylocal/config/fly_toml.hpp"

#include "flylocal/config/toml_tree.hpp"

namespace flylocal::config {

ParsedConfig parse_fly_toml(std::string_view text, std::string file_name) {
  ParsedConfig out;
  auto tree = parse_toml(text);
  if (!tree) {
    out.problems.push_back(tree.error());
    out.problems.back().file = std::move(file_name);
    return out;
  }
  AppConfig config;
  for (const TomlEntry& entry : *tree) {
    if (entry.key == "app" && std::holds_alternative<std::string>(entry.node.value)) {
      config.app = std::get<std::string>(entry.node.value);
    }
  }
  out.config = std::move(config);
  return out;
}

}  // namespace flylocal::config
