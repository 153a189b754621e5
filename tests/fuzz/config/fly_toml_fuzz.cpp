#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flylocal/config/config_json.hpp"
#include "flylocal/config/fly_toml.hpp"
#include "flylocal/config/process_groups.hpp"

/// Any bytes as a fly.toml: no crash, a model exactly when there is no error, and a model that all its users
/// can walk.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flylocal::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ParsedConfig parsed = parse_fly_toml(text, "fly.toml");
  if (parsed.config.has_value() == has_errors(parsed.problems)) std::abort();
  for (const Problem& problem : parsed.problems) {
    if (render(problem).empty() || to_json(problem).as_object().empty()) std::abort();
  }
  if (parsed.config) {
    to_json(*parsed.config);
    for (const auto& group : process_groups(*parsed.config)) flatten(*parsed.config, group);
  }
  return 0;
}
