#include "flylocal/config/durations.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>

namespace flylocal::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};

// U+00B5 (micro sign) and U+03BC (Greek mu) are both accepted, as Go does.
constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", 1'000},
                                      {"\xc2\xb5s", 1'000},
                                      {"\xce\xbcs", 1'000},
                                      {"ms", 1'000'000},
                                      {"s", 1'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"h", 3'600'000'000'000}}};

constexpr std::uint64_t kLongest = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes the digits in front of `text`; nothing when they do not fit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  while (!text.empty() && is_digit(text.front())) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    if (value > (kLongest - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
    text.remove_prefix(1);
  }
  return value;
}

std::string_view take_unit(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && text[length] != '.' && !is_digit(text[length])) ++length;
  std::string_view unit = text.substr(0, length);
  text.remove_prefix(length);
  return unit;
}

const Unit* find_unit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Error too_long() {
  return {"the duration is longer than 292 years"};
}

}  // namespace

Result<Duration> parse_go_duration(std::string_view text) {
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") return Duration(0);
  if (rest.empty()) return Error{"a duration needs a number and a unit"};

  std::uint64_t total = 0;
  while (!rest.empty()) {
    const bool has_whole = is_digit(rest.front());
    const auto whole = take_number(rest);
    if (!whole) return too_long();
    std::uint64_t decimals = 0;
    double scale = 1;
    bool has_fraction = false;
    if (!rest.empty() && rest.front() == '.') {
      rest.remove_prefix(1);
      for (; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1)) {
        has_fraction = true;
        // Further digits are below a nanosecond even in hours.
        if (scale >= 1e15) continue;
        decimals = decimals * 10 + static_cast<std::uint64_t>(rest.front() - '0');
        scale *= 10;
      }
    }
    if (!has_whole && !has_fraction) return Error{"a duration needs a number before each unit"};
    const std::string_view unit_name = take_unit(rest);
    if (unit_name.empty()) return Error{"the number has no unit: one of ns, us, ms, s, m, h"};
    const Unit* unit = find_unit(unit_name);
    if (!unit) return Error{fmt::format("unknown unit \"{}\": use one of ns, us, ms, s, m, h", unit_name)};
    if (*whole > kLongest / unit->nanoseconds) return too_long();
    std::uint64_t part = *whole * unit->nanoseconds;
    part += static_cast<std::uint64_t>(static_cast<double>(decimals) *
                                       (static_cast<double>(unit->nanoseconds) / scale));
    if (part > kLongest - total) return too_long();
    total += part;
  }
  const auto count = static_cast<std::int64_t>(total);
  return Duration(negative ? -count : count);
}

namespace {

/// A number of `unit`s with as many decimals as needed, e.g. 1500 in units of 1000 is "1.5".
std::string decimal(std::uint64_t value, std::uint64_t unit) {
  std::string out = std::to_string(value / unit);
  std::uint64_t remainder = value % unit;
  if (remainder == 0) return out;
  out += '.';
  while (remainder != 0) {
    unit /= 10;
    out += static_cast<char>('0' + remainder / unit);
    remainder %= unit;
  }
  return out;
}

}  // namespace

std::string format_go_duration(Duration duration) {
  if (duration.count() == 0) return "0s";
  const bool negative = duration.count() < 0;
  const auto count = static_cast<std::uint64_t>(duration.count());
  const std::uint64_t total = negative ? 0 - count : count;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::string out;
  if (total < 1'000) {
    out = fmt::format("{}ns", total);
  } else if (total < 1'000'000) {
    out = decimal(total, 1'000) + "\xc2\xb5s";
  } else if (total < kSecond) {
    out = decimal(total, 1'000'000) + "ms";
  } else {
    const std::uint64_t hours = total / (3600 * kSecond);
    const std::uint64_t minutes = total / (60 * kSecond) % 60;
    if (hours > 0) out += fmt::format("{}h", hours);
    if (hours > 0 || minutes > 0) out += fmt::format("{}m", minutes);
    out += decimal(total % (60 * kSecond), kSecond) + "s";
  }
  return negative ? "-" + out : out;
}

}  // namespace flylocal::config
