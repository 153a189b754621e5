#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace flylocal::config {

/// What k, M and G count: memory in 1024s, disks in 1000s, as flyctl does.
enum class SizeBase : std::uint64_t { kBinary = 1024, kDecimal = 1000 };

/// The bytes in "512mb", "1.5 GB", "2gib" or "100b". A number alone counts `bare_unit` bytes each.
/// Empty for anything else and above 2^53.
std::optional<std::uint64_t> parse_size(std::string_view text, SizeBase base, std::uint64_t bare_unit);

}  // namespace flylocal::config
