#include "flylocal/base/utf8.hpp"

#include <cstddef>

namespace flylocal {
namespace {

/// The length of the well-formed sequence at the beginning of `text`; 0 when there is none. RFC 3629 4
std::size_t sequence_length(std::string_view text) {
  auto octet = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto continues = [&](std::size_t i) { return (octet(i) & 0xc0) == 0x80; };
  const unsigned first = octet(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    // Neither overlong forms nor surrogates.
    const bool second = first == 0xe0 ? octet(1) >= 0xa0 : first == 0xed ? octet(1) <= 0x9f : true;
    return second && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = first == 0xf0 ? octet(1) >= 0x90 : first == 0xf4 ? octet(1) <= 0x8f : true;
    return second && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string to_valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) result += "\xef\xbf\xbd";
    else result.append(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

}  // namespace flylocal
