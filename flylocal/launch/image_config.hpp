#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace flylocal::launch {

/// ENTRYPOINT or CMD as the image would hold it. The shell form is already wrapped in the SHELL of its stage.
struct ImageCommand {
  enum class Form { kExec, kShell };
  std::vector<std::string> argv;  ///< Empty after `CMD []`, which takes an inherited command away.
  Form form = Form::kExec;
  int line = 0;
};

/// A setting together with the Dockerfile line that made it.
struct ImageSetting {
  std::string value;
  int line = 0;
};

struct ImageVariable {
  std::string name;
  std::string value;
  int line = 0;
};

/// EXPOSE. It has no effect on Fly.io; the report uses it to explain a wrong internal_port.
struct ExposedPorts {
  enum class Protocol { kTcp, kUdp };
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  Protocol protocol = Protocol::kTcp;
  int line = 0;
};

/// A COPY or ADD, kept to find on the host what the image would hold at some path.
struct CopyStep {
  enum class From { kProject, kStage, kImage, kInline /* heredoc */, kUrl };
  int line = 0;
  std::string text;  ///< The instruction on one line, for messages.
  From from = From::kProject;
  std::size_t stage = 0;             ///< With kStage: index into ImageConfig::stages.
  std::vector<std::string> sources;  ///< kProject: relative to the project; kStage: absolute in that stage.
  std::string destination;           ///< Absolute path in the image, without a trailing slash (but "/").
  bool into_directory = false;  ///< Destination was written as a directory, or there are several sources.
};

/// The part of a build stage that says where its files come from.
struct StageFiles {
  std::string name;                     ///< AS name, or empty.
  std::optional<std::size_t> based_on;  ///< FROM an earlier stage: its index.
  std::vector<CopyStep> copies;         ///< In the order of the Dockerfile.
};

/// What cannot be reproduced without building the image, or is easily misread. Not an error.
struct ImageNote {
  int line = 0;
  std::string message;
};

/// What an image built from a Dockerfile would say about running it, as far as the Dockerfile tells.
struct ImageConfig {
  std::string file_name = "Dockerfile";  ///< As messages call it.
  std::string base_image;  ///< Image that the stage chain ends in, e.g. node:20-slim or scratch.
  int base_image_line = 0;

  std::optional<ImageCommand> entrypoint;  ///< Absent: the Dockerfile does not say (the base image may).
  std::optional<ImageCommand> cmd;
  /// An ENTRYPOINT in a stage drops the CMD which that stage inherited; then `cmd` is absent for certain and
  /// does not depend on the base image.
  bool cmd_reset_by_entrypoint = false;

  std::vector<ImageVariable> env;  ///< Later ENV lines win; one entry a name, in order of first mention.
  std::optional<ImageSetting> workdir;
  std::optional<ImageSetting> user;  ///< user[:group] as written.
  std::vector<ExposedPorts> exposed;
  std::optional<ImageSetting> stop_signal;

  std::vector<StageFiles> stages;  ///< All stages, so that COPY --from can be followed.
  std::size_t stage = 0;           ///< Index of the stage which this image is made of.
  std::vector<ImageNote> notes;
};

}  // namespace flylocal::launch
