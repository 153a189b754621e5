#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

// Labels that the platform could have, whether or not something has them now. All take lower case.
namespace flylocal::dns {

/// Three letters (platform.md 5.8).
bool is_region_form(std::string_view label);

/// 14 hexadecimal digits (platform.md 2.1).
bool is_machine_id_form(std::string_view label);

/// The N of `topN`, a decimal number from 1 on; empty when the label is something else. Very large ones are all alike.
std::optional<std::size_t> top_count(std::string_view label);

}  // namespace flylocal::dns
