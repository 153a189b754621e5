#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/base/result.hpp"
#include "flylocal/launch/host_files.hpp"
#include "flylocal/launch/image_config.hpp"

namespace flylocal::launch {

/// A command that the user gave for local use, with the place to name in messages.
struct LocalCommand {
  std::vector<std::string> argv;
  std::string origin;  ///< e.g. "flylocal.toml line 7: [commands] web"
};

/// All that decides what the machines of one process group run. Empty lists and command lines count as
/// absent, as on the platform (`app = ""` in [processes] means the image's command).
struct LaunchInputs {
  std::string group = "app";
  std::filesystem::path project_directory;       ///< Absolute; where fly.toml is.
  std::optional<LocalCommand> command_override;  ///< flylocal.toml [commands]
  std::optional<std::string> process_command;    ///< fly.toml [processes], the line as written
  std::vector<std::string> experimental_exec;    ///< fly.toml [experimental]
  std::vector<std::string> experimental_entrypoint;
  std::vector<std::string> experimental_cmd;
  std::optional<std::string> command_option;  ///< --cmd, a command line
  std::optional<ImageConfig> image;           ///< From the project's Dockerfile
  std::string image_reference;                ///< fly.toml [build] image, where the project has no Dockerfile
  std::vector<std::string> mounts;            ///< Destinations of fly.toml's [mounts]; they will exist
  std::string host_path;                      ///< The PATH that flylocal was started with
};

struct LaunchPlan {
  std::vector<std::string> argv;   ///< argv[0] as it was written, or the host's path for it
  std::filesystem::path program;   ///< The executable on the host that argv[0] stands for; absolute
  std::vector<ImageVariable> env;  ///< The image's ENV, the lowest layer (platform.md 1.4), always with PATH
  std::filesystem::path working_directory;  ///< Absolute, on the host
  std::string user;    ///< USER of the image where the host knows it; empty: root, as on the platform
  std::string source;  ///< "fly.toml [processes] web", "Dockerfile line 12: CMD"
  std::vector<std::string> notes;  ///< One sentence each: what differs from the image
};

/// Decides what a process group's machines run. In this order:
/// 1. flylocal.toml's [commands]: the whole command line, in the project directory;
/// 2. fly.toml, by the platform's rule (platform.md 1.5): [experimental] exec wins entirely; else
///    ([experimental] entrypoint or ENTRYPOINT) + ([processes] command or [experimental] cmd or CMD);
/// 3. --cmd, which is used where fly.toml says nothing, and goes before the Dockerfile because it was typed
///    for this run: the whole command line, in the project directory;
/// 4. the Dockerfile's ENTRYPOINT + CMD.
/// With 2 and 4, paths of the image are translated to the host's by ImagePaths.
///
/// Error: nothing says what to run (with the three ways to say it), a program or a file that is not on the
/// host, a command line that cannot be split. Each names the place and the ways out.
Result<LaunchPlan> plan_launch(const LaunchInputs& inputs, const HostFiles& host);

}  // namespace flylocal::launch
