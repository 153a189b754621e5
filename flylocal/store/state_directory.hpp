#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::store {

/// Names another place for flylocal's state: a sandbox beside others, and its commands.
inline constexpr const char* kStateDirectoryVariable = "FLYLOCAL_STATE_DIRECTORY";

/// Where flylocal keeps what outlives a run: $FLYLOCAL_STATE_DIRECTORY, else $XDG_STATE_HOME/flylocal, else
/// ~/.local/state/flylocal (XDG Base Directory). Never in a project. Error: no variable is set to an absolute path.
Result<std::filesystem::path> state_directory();

/// Names another place for the local authority's files, which several sandboxes may share.
inline constexpr const char* kCertificatesVariable = "FLYLOCAL_CERTS_DIRECTORY";

/// Where the key and certificate of the local authority are: $FLYLOCAL_CERTS_DIRECTORY, else "certs" in the state
/// directory. Error: as state_directory().
Result<std::filesystem::path> certificates_directory();

/// Exclusive use of a state directory by one sandbox. The kernel gives it up when the process ends, however it
/// ends, so a lock without a live owner does not exist.
class StateLock {
 public:
  /// Makes the directory (0700) if it is missing. Waits for the last owner if that is just ending (200 ms, and 5 s when
  /// it is seen to end). Error with code resource_unavailable_try_again: a sandbox runs; the message names its pid
  /// and apps.
  static Result<StateLock> acquire(const std::filesystem::path& directory, const std::string& apps);

  const std::filesystem::path& directory() const { return directory_; }

 private:
  StateLock(UniqueFd fd, std::filesystem::path directory) : fd_(std::move(fd)), directory_(std::move(directory)) {}
  UniqueFd fd_;
  std::filesystem::path directory_;
};

/// The control socket's place in a state directory.
std::filesystem::path control_socket_path(const std::filesystem::path& directory);

}  // namespace flylocal::store
