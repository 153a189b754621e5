#include "flylocal/launch/text_file.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace flylocal::launch {

namespace fs = std::filesystem;

Result<std::string> read_text_file(const fs::path& path) {
  constexpr std::size_t kLargest = 1 << 20;
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  // The error_code of a missing file is set too, so the type is asked first.
  if (status.type() == fs::file_type::not_found) {
    return Error{"no such file", std::make_error_code(std::errc::no_such_file_or_directory)};
  }
  if (failure) return Error{"cannot be examined: " + failure.message(), failure};
  if (status.type() == fs::file_type::directory) return Error{"is a directory, expected a file"};
  if (status.type() != fs::file_type::regular) return Error{"is not a regular file"};
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const std::error_code reason(errno, std::generic_category());
    return Error{"cannot be opened: " + reason.message(), reason};
  }
  std::string text(kLargest + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return Error{"cannot be read"};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kLargest) return Error{"is larger than 1 MiB"};
  // Arguments and variables end at one.
  if (text.find('\0') != std::string::npos) return Error{"is no text file: it has a NUL character in it"};
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace flylocal::launch
