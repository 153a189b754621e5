#include "flylocal/store/state_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace flylocal::store {
namespace fs = std::filesystem;

Result<fs::path> state_directory() {
  if (const char* own = std::getenv(kStateDirectoryVariable); own && *own == '/') return Result<fs::path>(boost::system::in_place_value, own);
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/') return Result<fs::path>(boost::system::in_place_value, fs::path(state) / "flylocal");
  if (const char* home = std::getenv("HOME"); home && *home == '/') return Result<fs::path>(boost::system::in_place_value, fs::path(home) / ".local/state/flylocal");
  return Error{"no place for flylocal's state: set HOME or XDG_STATE_HOME to an absolute path"};
}

Result<StateLock> StateLock::acquire(const fs::path& directory, const std::string& apps) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed)
    return Error{fmt::format("make the state directory {}: {} (set XDG_STATE_HOME to a directory you can write)",
                             directory.string(), failed.message()),
                 failed};
  ::chmod(directory.c_str(), 0700);
  const fs::path path = directory / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return system_error("open " + path.string(), errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock " + path.string(), errno);
    char text[512];
    const ssize_t n = ::pread(fd.get(), text, sizeof text, 0);
    std::string owner(text, n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!owner.empty() && owner.back() == '\n') owner.pop_back();
    return Error{fmt::format("a sandbox is already running ({}): stop it with `flylocal down`, or start all projects "
                             "together with `flylocal up DIR...`; a second sandbox needs another XDG_STATE_HOME",
                             owner.empty() ? "it is just starting" : owner),
                 std::make_error_code(std::errc::resource_unavailable_try_again)};
  }
  const std::string owner = fmt::format("pid {}, {}\n", ::getpid(), apps);
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), owner.data(), owner.size(), 0) < 0)
    return system_error("write " + path.string(), errno);
  return StateLock(std::move(fd), directory);
}

fs::path control_socket_path(const fs::path& directory) { return directory / "control.sock"; }

}  // namespace flylocal::store
