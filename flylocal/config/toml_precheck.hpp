#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flylocal/config/app_config.hpp"

namespace flylocal::config {

inline constexpr int kMaxTomlBrackets = 32;   ///< arrays and inline tables inside each other
inline constexpr int kMaxTomlDottedKey = 16;  ///< dots in one key

struct TomlRefusal {
  Place place;
  std::string message;
};

/// What must not reach the TOML library: control characters, which TOML forbids everywhere and on which the
/// library relies; and more nesting than the limits above, because it and every walk over its tree recurse
/// once per level.
std::optional<TomlRefusal> precheck_toml(std::string_view text);

}  // namespace flylocal::config
