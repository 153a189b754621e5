#pragma once

#include <string>
#include <string_view>

namespace flylocal::config {

/// Text of the file made safe for a terminal and a log line: control characters escaped, the rest as it is.
std::string escaped(std::string_view text);

/// The same in double quotes, cut after 60 bytes, as `found` shows it.
std::string in_quotes(std::string_view text);

}  // namespace flylocal::config
