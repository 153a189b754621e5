#pragma once

#include <string>
#include <string_view>
#include <vector>

/// How flylocal speaks on a terminal and elsewhere.
namespace flylocal::cli {

enum class Colour { kNone, kRed, kGreen, kYellow, kBlue, kMagenta, kCyan, kDim, kBold };

/// Colours are used where stdout is a terminal, NO_COLOR is unset (https://no-color.org) and TERM is not dumb.
bool colours_enabled();
std::string paint(Colour colour, std::string_view text);
/// One of the colours, always the same for the same key, to tell machines apart in a log.
Colour colour_of(std::string_view key);

/// Text without control characters but tab: what a program printed must not steer the user's terminal.
std::string printable(std::string_view text);
/// The same of a text of several lines, which stay lines.
std::string printable_lines(std::string_view text);

/// Rows as aligned columns, the first one the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// Prints a line to stdout, or to stderr with "Error: " in front, as flyctl does.
void say(std::string_view text);
void complain(std::string_view text);

}  // namespace flylocal::cli
