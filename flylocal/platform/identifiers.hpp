#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace flylocal::platform {

/// Random bits from the kernel (getrandom(2)).
std::uint64_t random_bits();

/// A machine's name: 14 lower-case hexadecimal digits (platform facts 2.1).
std::string new_machine_id();

/// A volume's name: "vol_" and 16 lower-case letters or digits.
std::string new_volume_id();

/// A ULID: 48 bits of milliseconds since 1970 and 80 random ones, in Crockford's base 32. Machine versions
/// (instance_id) are such, so they sort by age.
std::string new_ulid(std::chrono::system_clock::time_point now);

}  // namespace flylocal::platform
