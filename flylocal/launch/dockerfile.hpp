#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/launch/file_problem.hpp"
#include "flylocal/launch/image_config.hpp"

namespace flylocal::launch {

/// What fly.toml's [build] says about the build (platform.md 7.5).
struct DockerfileOptions {
  std::string file_name = "Dockerfile";  ///< As messages call the file.
  std::string target{};                  ///< build-target: name or number of a stage; empty: the last.
  std::map<std::string, std::string> build_args{};  ///< build.args
};

/// Either an image, or the problems that kept us from one (all of them).
struct DockerfileReading {
  std::optional<ImageConfig> image;
  std::vector<FileProblem> problems;
};

/// Reads a Dockerfile as far as it decides how the image is run. Nothing is built: RUN, LABEL, HEALTHCHECK,
/// VOLUME, MAINTAINER and ONBUILD are recognised and skipped.
///
/// ENTRYPOINT and CMD follow Docker's builder: both are inherited by a stage that is FROM an earlier stage; a
/// stage's own ENTRYPOINT drops the inherited CMD, but keeps a CMD that stands above it in the same stage.
/// Source: the Dockerfile reference, "Understand how CMD and ENTRYPOINT interact".
DockerfileReading read_dockerfile(std::string_view text, const DockerfileOptions& options = {});

/// The same for a file of at most 1 MiB; one that cannot be read is a problem.
DockerfileReading load_dockerfile(const std::filesystem::path& path, const DockerfileOptions& options = {});

/// The Dockerfile that flyctl takes when fly.toml names none: Dockerfile, else dockerfile, in the project.
std::optional<std::filesystem::path> find_dockerfile(const std::filesystem::path& project_directory);

}  // namespace flylocal::launch
