#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flylocal/base/result.hpp"

namespace flylocal::launch {

/// Splits a command line into words as flyctl does with the lines of [processes] (platform.md 7.2): blanks
/// separate; 'single quotes' keep everything as it is; in "double quotes" and outside of quotes a backslash
/// takes the next character literally; '#' at the start of a word begins a comment up to the line's end.
/// Nothing is expanded and no shell runs: $HOME, * and && are ordinary characters.
///
/// Error: a quote that is not closed or a backslash at the end, with its column (from 1, in bytes).
Result<std::vector<std::string>> split_shell_words(std::string_view line);

/// The opposite, for messages: words that a shell would not read as one word are put into single quotes.
std::string join_shell_words(const std::vector<std::string>& words);

}  // namespace flylocal::launch
