#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flylocal::report {

/// A program's text as it may stand in any document: well-formed UTF-8, without control characters but line feed and tab,
/// without the colours that programs print, and without what XML 1.0 does not take (its section 2.2).
std::string plain_text(std::string_view text);

/// The same in one line: line feeds and tabs become blanks.
std::string plain_line(std::string_view text);

/// The lines of plain_text(), without empty ones at the end.
std::vector<std::string> plain_lines(std::string_view text);

}  // namespace flylocal::report
