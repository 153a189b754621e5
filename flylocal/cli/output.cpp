#include "flylocal/cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace flylocal::cli {

bool colours_enabled() {
  static const bool enabled = [] {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && (!no_color || !*no_color) && (!term || std::string_view(term) != "dumb");
  }();
  return enabled;
}

std::string paint(Colour colour, std::string_view text) {
  if (!colours_enabled() || colour == Colour::kNone) return std::string(text);
  constexpr std::array<int, 9> kCodes{0, 31, 32, 33, 34, 35, 36, 2, 1};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<std::size_t>(colour)], text);
}

Colour colour_of(std::string_view key) {
  constexpr std::array kChoices{Colour::kCyan, Colour::kMagenta, Colour::kBlue, Colour::kYellow, Colour::kGreen};
  return kChoices[std::hash<std::string_view>{}(key) % kChoices.size()];
}

namespace {

/// The end of the escape sequence that begins at `at` (ECMA-48: CSI with parameters, intermediates and a final octet;
/// OSC, DCS and their like until BEL or ST; else ESC and one octet).
std::size_t end_of_escape(std::string_view text, std::size_t at) {
  std::size_t i = at + 1;
  if (i >= text.size()) return i;
  if (text[i] == '[') {
    for (++i; i < text.size() && text[i] >= 0x20 && text[i] <= 0x3f; ++i) {
    }
    return std::min(i + 1, text.size());
  }
  if (std::string_view("]PX^_").find(text[i]) != std::string_view::npos) {
    for (++i; i < text.size(); ++i) {
      if (text[i] == '\a') return i + 1;
      if (text[i] == 0x1b) return std::min(i + 2, text.size());
    }
    return i;
  }
  return i + 1;
}

bool is_colour(std::string_view escape) {
  return escape.size() >= 3 && escape[1] == '[' && escape.back() == 'm' &&
         escape.substr(2, escape.size() - 3).find_first_not_of("0123456789;:") == std::string_view::npos;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0x1b) {
      // A colour of the program itself is kept on a terminal; every other sequence goes.
      const std::size_t end = end_of_escape(text, i);
      if (colours_enabled() && is_colour(text.substr(i, end - i))) result.append(text.substr(i, end - i));
      i = end;
      continue;
    }
    // U+0080 to U+009F in UTF-8 are control characters, too: xterm takes U+009B for ESC [.
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 && static_cast<unsigned char>(text[i + 1]) <= 0x9f) {
      i += 2;
      continue;
    }
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) result += text[i];
    ++i;
  }
  return result;
}

std::string printable_lines(std::string_view text) {
  std::string result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (begin > 0) result += '\n';
    result += printable(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows[r].size(); ++i)
      line += i + 1 < rows[r].size() ? fmt::format("{:<{}}  ", rows[r][i], widths[i]) : rows[r][i];
    text += (r == 0 ? paint(Colour::kBold, line) : line) + "\n";
  }
  return text;
}

void say(std::string_view text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void complain(std::string_view text) { fmt::print(stderr, "Error: {}\n", text); }

}  // namespace flylocal::cli
