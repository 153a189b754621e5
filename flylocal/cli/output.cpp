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

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0x1b && i + 1 < text.size() && text[i + 1] == '[') {
      // A colour (CSI ... m) of the program itself is kept on a terminal; every other sequence goes.
      std::size_t end = i + 2;
      while (end < text.size() && (text[end] == ';' || (text[end] >= '0' && text[end] <= '9'))) ++end;
      if (end < text.size() && text[end] == 'm' && colours_enabled()) result.append(text.substr(i, end - i + 1));
      i = std::min(end, text.size() - 1);
      continue;
    }
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) result += text[i];
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
