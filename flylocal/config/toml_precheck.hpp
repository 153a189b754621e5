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

/// What must not reach the TOML library: text that TOML forbids, but that the library's release build assumes
/// away (control characters, characters outside ASCII beyond strings and comments, a header without a name);
/// and more nesting than the limits above, because the library and every walk over its tree recurse once per
/// level.
std::optional<TomlRefusal> precheck_toml(std::string_view text);

}  // namespace flylocal::config
