#pragma once

#include <span>
#include <string_view>

namespace flylocal::config {

/// The candidate that `word` most probably was meant to be: fewest letters changed, added, left out or
/// swapped with a neighbour, case aside; else one that ends in the word. Empty when none is near enough to be
/// a typo.
std::string_view closest_name(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace flylocal::config
