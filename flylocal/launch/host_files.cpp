#include "flylocal/launch/host_files.hpp"

#include <pwd.h>
#include <unistd.h>

#include <string>
#include <system_error>
#include <vector>

namespace flylocal::launch {

namespace fs = std::filesystem;

bool ThisHost::exists(const fs::path& path) const {
  std::error_code failure;
  return fs::exists(path, failure);
}

bool ThisHost::is_directory(const fs::path& path) const {
  std::error_code failure;
  return fs::is_directory(path, failure);
}

bool ThisHost::is_executable(const fs::path& path) const {
  std::error_code failure;
  return fs::is_regular_file(path, failure) && ::access(path.c_str(), X_OK) == 0;
}

bool ThisHost::has_user(std::string_view name) const {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  const std::string text(name);
  return ::getpwnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
}

std::optional<fs::path> find_in_path(std::string_view program, std::string_view path,
                                     const fs::path& directory, const HostFiles& host) {
  if (program.empty() || program.find('/') != std::string_view::npos) return std::nullopt;
  while (true) {
    const std::size_t colon = path.find(':');
    const std::string_view entry = path.substr(0, colon);
    // An empty entry means the current directory to a shell; nobody writes one on purpose.
    if (!entry.empty()) {
      fs::path candidate = (directory / entry / program).lexically_normal();
      if (host.is_executable(candidate)) return candidate;
    }
    if (colon == std::string_view::npos) return std::nullopt;
    path.remove_prefix(colon + 1);
  }
}

}  // namespace flylocal::launch
