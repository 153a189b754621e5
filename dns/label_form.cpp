#include "dns/label_form.hpp"

#include <algorithm>

namespace flylocal::dns {

bool is_region_form(std::string_view label) {
  constexpr std::size_t kSize = 3;
  return label.size() == kSize && std::all_of(label.begin(), label.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool is_machine_id_form(std::string_view label) {
  constexpr std::size_t kSize = 14;
  return label.size() == kSize &&
         std::all_of(label.begin(), label.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<std::size_t> top_count(std::string_view label) {
  constexpr std::string_view kTop = "top";
  constexpr std::size_t kMost = 100'000;
  if (!label.starts_with(kTop)) return std::nullopt;
  label.remove_prefix(kTop.size());
  if (label.empty() || label.front() == '0') return std::nullopt;
  std::size_t count = 0;
  for (char c : label) {
    if (c < '0' || c > '9') return std::nullopt;
    count = std::min(kMost, count * 10 + static_cast<std::size_t>(c - '0'));
  }
  return count;
}

}  // namespace flylocal::dns
