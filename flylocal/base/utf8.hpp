#pragma once

#include <string>
#include <string_view>

namespace flylocal {

/// `text` with every octet that is not part of well-formed UTF-8 (RFC 3629) replaced by U+FFFD, so that it may stand in
/// JSON (RFC 8259 8.1).
std::string to_valid_utf8(std::string_view text);

}  // namespace flylocal
