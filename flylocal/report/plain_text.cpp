#include "flylocal/report/plain_text.hpp"

#include <algorithm>

#include "flylocal/base/utf8.hpp"

namespace flylocal::report {
namespace {

/// The end of the sequence that begins with ESC at `at`: ECMA-48's CSI with its parameters, as colours have it. Of other
/// sequences, which no log is likely to have, only the ESC goes.
std::size_t end_of_sequence(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  if (end >= text.size() || text[end] != '[') return end;
  for (++end; end < text.size() && text[end] >= 0x20 && text[end] <= 0x3f; ++end) {
  }
  return end < text.size() && text[end] >= 0x40 && text[end] <= 0x7e ? end + 1 : end;
}

bool is_c1_control(std::string_view text, std::size_t at) {
  return text[at] == '\xc2' && static_cast<unsigned char>(text[at + 1]) <= 0x9f;
}

/// U+FFFE or U+FFFF
bool is_noncharacter(std::string_view text, std::size_t at) {
  return text.substr(at, 2) == "\xef\xbf" && static_cast<unsigned char>(text[at + 2]) >= 0xbe;
}

}  // namespace

std::string plain_text(std::string_view text) {
  const std::string valid = to_valid_utf8(text);
  std::string plain;
  plain.reserve(valid.size());
  for (std::size_t i = 0; i < valid.size();) {
    const auto octet = static_cast<unsigned char>(valid[i]);
    if (octet == 0x1b) {
      i = end_of_sequence(valid, i);
    } else if (is_c1_control(valid, i)) {
      i += 2;
    } else if (is_noncharacter(valid, i)) {
      plain += "\xef\xbf\xbd";
      i += 3;
    } else {
      if ((octet >= 0x20 && octet != 0x7f) || octet == '\n' || octet == '\t') plain += valid[i];
      ++i;
    }
  }
  return plain;
}

std::string plain_line(std::string_view text) {
  std::string line = plain_text(text);
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

std::vector<std::string> plain_lines(std::string_view text) {
  std::vector<std::string> lines;
  const std::string plain = plain_text(text);
  for (std::size_t begin = 0; begin < plain.size();) {
    const std::size_t end = std::min(plain.find('\n', begin), plain.size());
    lines.push_back(plain.substr(begin, end - begin));
    begin = end + 1;
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace flylocal::report
