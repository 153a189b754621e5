#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flylocal::launch {

/// The known name that a mistyped one most likely means: at most two edits away and fewer than half of its
/// letters. Letter case is not an edit.
std::optional<std::string> closest_name(std::string_view name, std::span<const std::string_view> known);

}  // namespace flylocal::launch
