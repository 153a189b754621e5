#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "flylocal/base/result.hpp"

namespace flylocal::config {

/// The resolution of Go's time.Duration, in which flyctl keeps every duration of fly.toml.
using Duration = std::chrono::nanoseconds;

/// Reads a duration in Go's notation: numbers with a unit (ns, us, µs, ms, s, m, h), each possibly with a
/// fraction, in sequence, with an optional sign in front: "1m30s", "1.5h", "500ms"; "0" needs no unit.
/// Errors: empty text, a missing or unknown unit, more than about 292 years.
Result<Duration> parse_go_duration(std::string_view text);

/// Writes a duration as Go prints it: "1m30s", "500ms", "1.5s", "0s".
std::string format_go_duration(Duration duration);

}  // namespace flylocal::config
