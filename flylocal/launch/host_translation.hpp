#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "flylocal/base/result.hpp"
#include "flylocal/launch/host_files.hpp"
#include "flylocal/launch/image_config.hpp"
#include "flylocal/launch/image_paths.hpp"

namespace flylocal::launch {

/// Some words of a command line, all from one place.
struct CommandPart {
  std::vector<std::string> words;
  ImageCommand::Form form = ImageCommand::Form::kExec;  ///< kShell: the last word is a shell's script.
  std::string source;                                   ///< "Dockerfile line 12: CMD"
};

/// Rewrites what an image says about running it for the host's file system. Every change is noted in words.
class HostTranslation {
 public:
  /// All must outlive this object.
  HostTranslation(const ImageConfig& image, const std::filesystem::path& project_directory,
                  const HostFiles& host, std::vector<std::string>& notes);

  /// WORKDIR by ImagePaths::find_directory; else the same directory on the host where the Dockerfile copies
  /// nothing into it; else the project directory.
  std::filesystem::path working_directory();

  /// ENV. A value that is a path of the image which the project has becomes the host's path. PATH becomes the
  /// image's own additions, as far as they exist here, before `host_path`; it is always part of the result.
  std::vector<ImageVariable> environment(const std::string& host_path,
                                         const std::vector<std::string>& mounts);

  /// The words after the program: a path of the image that the project has becomes the host's path, also
  /// after --option= and in a shell's script. Error: a file that the Dockerfile copies and the host lacks.
  Result<std::vector<std::string>> arguments(const CommandPart& part, std::size_t first_word,
                                             const std::filesystem::path& working_directory);

  /// "Dockerfile line 7 (COPY --from=builder /run-app /usr/local/bin/)"
  std::string name(const CopyStep& step) const;
  /// Why a file that `step` puts into the image is not on the host, as a full sentence.
  std::string reason(const CopyStep& step) const;

  const ImagePaths& paths() const { return paths_; }
  std::string workdir() const { return image_.workdir ? image_.workdir->value : "/"; }

 private:
  Result<void> translate(std::string& word, const std::string& source,
                         const std::filesystem::path& working_directory);
  std::string shell_script(const std::string& script, const std::string& source);
  void note_path(const std::string& source, const std::string& image_path, const HostPath& found);

  const ImageConfig& image_;
  std::filesystem::path project_directory_;
  const HostFiles& host_;
  std::vector<std::string>& notes_;
  ImagePaths paths_;
};

}  // namespace flylocal::launch
