#include "flylocal/config/env_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace flylocal::config {
namespace {

/// Go prints the shortest digits that read back the same, with an exponent below 1e-4 and from 1e21 on.
std::string go_float(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  if (number == 0) return std::signbit(number) ? "-0" : "0";
  // 17 significant digits always read back the same.
  constexpr int kEnoughDecimals = 16;
  int decimals = 0;
  std::string scientific = fmt::format("{:.0e}", number);
  while (decimals < kEnoughDecimals && std::strtod(scientific.c_str(), nullptr) != number) {
    scientific = fmt::format("{:.{}e}", number, ++decimals);
  }
  const int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  if (exponent < -4 || exponent >= 21) return scientific;
  return fmt::format("{:.{}f}", number, std::max(0, decimals - exponent));
}

}  // namespace

std::string env_text(const TomlNode& node) {
  struct Writer {
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return go_float(number); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const TomlDateTime& time) const { return time.text; }
    std::string operator()(const TomlArray& items) const {
      std::vector<std::string> texts;
      for (const TomlNode& item : items) texts.push_back(env_text(item));
      return fmt::format("[{}]", fmt::join(texts, " "));
    }
    std::string operator()(const TomlTable& entries) const {
      std::vector<std::string> pairs;
      for (const TomlEntry& entry : entries) pairs.push_back(entry.key + ":" + env_text(entry.node));
      std::sort(pairs.begin(), pairs.end());
      return fmt::format("map[{}]", fmt::join(pairs, " "));
    }
  };
  return std::visit(Writer{}, node.value);
}

}  // namespace flylocal::config
