#pragma once

#include <optional>
#include <string_view>

#include "flylocal/config/app_config.hpp"

namespace flylocal::config {

inline constexpr int kMaxTomlBrackets = 32;   ///< arrays and inline tables inside each other
inline constexpr int kMaxTomlDottedKey = 16;  ///< dots in one key

/// Where a TOML text first exceeds one of the limits above, if it does. The TOML library and every walk over
/// its tree recurse once per level, so the depth has to be bounded before parsing.
std::optional<Place> find_excessive_depth(std::string_view text);

}  // namespace flylocal::config
