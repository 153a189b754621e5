#pragma once

#include <filesystem>
#include <string>

#include "flylocal/base/result.hpp"

namespace flylocal::launch {

/// The bytes of a file that people write by hand. Errors: absent, a directory or device, unreadable, over 1
/// MiB. Error::code tells absent (ENOENT) from the rest.
Result<std::string> read_text_file(const std::filesystem::path& path);

}  // namespace flylocal::launch
