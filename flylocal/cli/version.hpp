#pragma once

#include <string_view>

namespace flylocal::cli {

inline constexpr std::string_view kVersion = FLYLOCAL_VERSION;

}  // namespace flylocal::cli
