#include "flylocal/config/sizes.hpp"

#include <string>

namespace flylocal::config {

std::optional<std::uint64_t> parse_size(std::string_view text, SizeBase base, std::uint64_t bare_unit) {
  constexpr double kMost = 9007199254740992.0;  // 2^53: exact in a double
  double number = 0;
  double place_value = 1;
  bool digits = false;
  bool point = false;
  while (!text.empty() && (text.front() == '.' || (text.front() >= '0' && text.front() <= '9'))) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '.') {
      if (point || !digits) return std::nullopt;
      point = true;
      digits = false;
      continue;
    }
    digits = true;
    number = number * 10 + (c - '0');
    if (point) place_value *= 10;
    if (number > kMost) return std::nullopt;
  }
  if (!digits) return std::nullopt;
  number /= place_value;

  double unit = static_cast<double>(bare_unit);
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (!text.empty()) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    unit = 1;
    const std::size_t power = std::string_view("bkmgtp").find(lower(text.front()));
    if (power == std::string_view::npos) return std::nullopt;
    for (std::size_t i = 0; i < power; ++i) unit *= static_cast<double>(base);
    text.remove_prefix(1);
    if (power > 0 && !text.empty() && lower(text.front()) == 'i') text.remove_prefix(1);
    if (power > 0 && !text.empty() && lower(text.front()) == 'b') text.remove_prefix(1);
    if (!text.empty()) return std::nullopt;
  }
  const double bytes = number * unit;
  if (bytes > kMost) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace flylocal::config
