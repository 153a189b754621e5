#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/launch/host_files.hpp"
#include "flylocal/launch/image_config.hpp"

namespace flylocal::launch {

/// A path of the image, found on the host.
struct HostPath {
  std::filesystem::path path;
  const CopyStep* step = nullptr;  ///< The COPY or ADD that says so; lives in the ImageConfig.
  bool derived = false;            ///< By the second rule below.
};

/// Finds on the host what the image would hold at a path. A machine runs on the host's file system, so the
/// paths in WORKDIR, ENTRYPOINT and CMD have to be translated by what the Dockerfile itself says:
///
/// 1. `COPY source destination` from the project makes the image's `destination` the project's `source`, and
///    everything below it. `COPY . /app`: /app/bin/x is <project>/bin/x; `COPY server/ /app`:
///    <project>/server/bin/x. COPY --from=stage is followed into that stage, to the same kind of COPY there.
/// 2. Where both sides end in the same name, their parents correspond too: `COPY package.json ./` in WORKDIR
///    /app says that /app is the project directory. This holds for directories and for files that the build
///    makes (/app/dist/server.js is <project>/dist/server.js when it was built on the host as well).
///
/// Only a path that exists on the host counts, so a rule never invents a file. Rule 1 goes before rule 2, and
/// later instructions before earlier ones, because they overwrite them in the image. .dockerignore is
/// not read.
class ImagePaths {
 public:
  /// All three must outlive this object. `project_directory` is absolute.
  ImagePaths(const ImageConfig& image, std::filesystem::path project_directory, const HostFiles& host);

  /// The host's file or directory for an absolute path of the image; never the path itself.
  std::optional<HostPath> find(std::string_view image_path) const;

  /// The host's directory for a WORKDIR. Where several qualify, rule 1 goes before rule 2, then the one
  /// nearest to the project directory is taken: that is where a developer would start the program.
  std::optional<HostPath> find_directory(std::string_view image_path) const;

  /// The last COPY or ADD that puts something at `image_path` or, failing that, above it; nullptr where none
  /// does. One of the whole image (to "/") does not count as above.
  const CopyStep* origin(std::string_view image_path) const;

  /// The last COPY or ADD that puts a file called `name` somewhere into the image, e.g. into /usr/local/bin.
  const CopyStep* origin_of_name(std::string_view name) const;

  /// Whether any COPY or ADD puts something at, above or below `image_path`. One of the whole image (to "/")
  /// does not count as above.
  bool receives_files(std::string_view image_path) const;

  /// Those COPY --from of the final image of which nothing was found on the host.
  std::vector<const CopyStep*> not_on_host() const;

 private:
  struct Candidate;
  struct Search;
  enum class SourceKind { kFile, kDirectory, kUnknown };

  void collect(Search& search, std::size_t stage, const std::string& image_path, const CopyStep* outer,
               bool derived) const;
  SourceKind kind_of(Search& search, const CopyStep& step, const std::string& source) const;
  std::vector<Candidate> candidates(std::size_t stage, std::string_view image_path) const;
  /// The copies that make the final image, the last one first.
  std::vector<const CopyStep*> steps() const;
  bool copies_a_directory(const CopyStep& step) const;

  const ImageConfig& image_;
  std::filesystem::path project_directory_;
  const HostFiles& host_;
};

/// "/app/./x/../y/" as "/app/y". Relative paths start at `directory`, which is absolute.
std::string absolute_image_path(std::string_view path, std::string_view directory);

}  // namespace flylocal::launch
