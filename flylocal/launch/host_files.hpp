#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace flylocal::launch {

/// What planning asks about the host. Tests answer from a list instead.
class HostFiles {
 public:
  virtual ~HostFiles() = default;
  /// All follow symbolic links; a path that cannot be examined counts as absent.
  virtual bool exists(const std::filesystem::path& path) const = 0;
  virtual bool is_directory(const std::filesystem::path& path) const = 0;
  /// A regular file that the caller may execute.
  virtual bool is_executable(const std::filesystem::path& path) const = 0;
  /// A name known to the host's user database. Numbers are always usable and not asked for.
  virtual bool has_user(std::string_view name) const = 0;
};

/// The machine we run on.
class ThisHost final : public HostFiles {
 public:
  bool exists(const std::filesystem::path& path) const override;
  bool is_directory(const std::filesystem::path& path) const override;
  bool is_executable(const std::filesystem::path& path) const override;
  bool has_user(std::string_view name) const override;
};

/// The first executable called `program` in a PATH (colon-separated). Relative entries are taken from
/// `directory`, where the program is going to run.
std::optional<std::filesystem::path> find_in_path(std::string_view program, std::string_view path,
                                                  const std::filesystem::path& directory,
                                                  const HostFiles& host);

}  // namespace flylocal::launch
