#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "dns/name.hpp"

namespace flylocal::dns {

/// Whether a query can spell `text` as one label.
constexpr bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= Name::kMaxLabelSize;
}

inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_case(c);
  return lower;
}

/// The lower-case wire form of labels, without a root: how zones keep and find names.
inline std::string wire_key(std::initializer_list<std::string_view> labels) {
  std::string key;
  for (auto label : labels) {
    key += static_cast<char>(label.size());
    for (char c : label) key += lower_case(c);
  }
  return key;
}

/// Lets a map with string keys be searched with a part of a message.
struct KeyHash : std::hash<std::string_view> {
  using is_transparent = void;
};

}  // namespace flylocal::dns
