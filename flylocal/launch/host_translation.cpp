#include "flylocal/launch/host_translation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace flylocal::launch {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSystemDirectories[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                                   "/usr/bin",        "/sbin",          "/bin"};

// Names of files that an interpreter is told to run; without them there is nothing to start.
constexpr std::array<std::string_view, 13> kScriptEndings = {
    ".js", ".mjs", ".cjs", ".ts", ".py", ".rb", ".php", ".jar", ".exs", ".pl", ".lua", ".sh", ".dll"};

// Names of files that a program makes itself when it starts.
constexpr std::array<std::string_view, 4> kRunFileEndings = {".pid", ".sock", ".log", ".lock"};

template <std::size_t N>
bool ends_with_one_of(std::string_view text, const std::array<std::string_view, N>& endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view e) { return text.ends_with(e); });
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> entries;
  while (true) {
    const std::size_t colon = path.find(':');
    if (colon != 0 && !path.empty()) entries.emplace_back(path.substr(0, colon));
    if (colon == std::string_view::npos) return entries;
    path.remove_prefix(colon + 1);
  }
}

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' ||
         c == '_' || c == '-' || c == '+' || c == '@' || c == '%';
}

}  // namespace

HostTranslation::HostTranslation(const ImageConfig& image, const fs::path& project_directory,
                                 const HostFiles& host, std::vector<std::string>& notes)
    : image_(image),
      project_directory_(project_directory),
      host_(host),
      notes_(notes),
      paths_(image, project_directory, host) {}

std::string HostTranslation::name(const CopyStep& step) const {
  return fmt::format("{} line {} ({})", image_.file_name, step.line, step.text);
}

std::string HostTranslation::reason(const CopyStep& step) const {
  switch (step.from) {
    case CopyStep::From::kProject:
      return fmt::format(
          "In the image it comes from {}, but the project does not have it; a build step may make it.",
          name(step));
    case CopyStep::From::kStage:
      return fmt::format(
          "In the image it comes from {}, out of a build stage, and nothing is built here; build it in "
          "the project directory.",
          name(step));
    case CopyStep::From::kImage:
      return fmt::format("In the image it comes from {}, and no image is pulled here.", name(step));
    case CopyStep::From::kInline:
      return fmt::format("In the image it is written by the heredoc of {}; it is not a file of the project.",
                         name(step));
    case CopyStep::From::kUrl:
      return fmt::format("In the image it is downloaded by {}.", name(step));
  }
  return "";
}

void HostTranslation::note_path(const std::string& source, const std::string& image_path,
                                const HostPath& found) {
  notes_.push_back(
      fmt::format("{}: {} is {} here, by {}", source, image_path, found.path.string(), name(*found.step)));
}

fs::path HostTranslation::working_directory() {
  const std::string directory = workdir();
  const std::string source =
      image_.workdir
          ? fmt::format("{} line {}: WORKDIR {}", image_.file_name, image_.workdir->line, directory)
          : fmt::format("{} has no WORKDIR, so the image's is taken as /; it", image_.file_name);
  if (const std::optional<HostPath> found = paths_.find_directory(directory)) {
    // The usual case, COPY . to the WORKDIR, needs no words.
    if (found->derived || found->path != project_directory_) {
      notes_.push_back(fmt::format("{} is {} here, by {}", source, found->path.string(), name(*found->step)));
    }
    return found->path;
  }
  if (!image_.workdir) return project_directory_;
  if (!paths_.receives_files(directory) && host_.is_directory(directory)) {
    notes_.push_back(
        fmt::format("{} is the host's {}, because the Dockerfile copies nothing into it", source, directory));
    return directory;
  }
  notes_.push_back(
      fmt::format("{} has no counterpart on this host; the machine runs in the project directory, {}", source,
                  project_directory_.string()));
  return project_directory_;
}

std::vector<ImageVariable> HostTranslation::environment(const std::string& host_path,
                                                        const std::vector<std::string>& mounts) {
  std::vector<ImageVariable> environment;
  ImageVariable path{"PATH", "", 0};
  std::vector<std::string> entries;
  for (const ImageVariable& variable : image_.env) {
    if (variable.name == "PATH") {
      path.line = variable.line;
      for (const std::string& entry : split_path(variable.value)) {
        const bool of_every_system = std::find(std::begin(kSystemDirectories), std::end(kSystemDirectories),
                                               entry) != std::end(kSystemDirectories);
        if (of_every_system) continue;
        if (const std::optional<HostPath> found = paths_.find(entry)) {
          entries.push_back(found->path.string());
        } else if (host_.is_directory(entry)) {
          entries.push_back(entry);
        }
      }
      continue;
    }
    ImageVariable& added = environment.emplace_back(variable);
    if (!variable.value.starts_with('/')) continue;
    const std::string source =
        fmt::format("{} line {}: ENV {}", image_.file_name, variable.line, variable.name);
    const bool in_mount = std::any_of(mounts.begin(), mounts.end(), [&](const std::string& mount) {
      return variable.value == mount || variable.value.starts_with(mount + "/");
    });
    if (in_mount) continue;
    if (const std::optional<HostPath> found = paths_.find(variable.value)) {
      note_path(source, variable.value, *found);
      added.value = found->path.string();
    } else if (!host_.exists(variable.value)) {
      notes_.push_back(
          fmt::format("{}={} names a path that is not on this host; [env] in flylocal.toml can change it",
                      source, variable.value));
    }
  }
  for (const std::string& entry : split_path(host_path)) entries.push_back(entry);
  std::vector<std::string> seen;
  for (const std::string& entry : entries) {
    if (std::find(seen.begin(), seen.end(), entry) != seen.end()) continue;
    seen.push_back(entry);
    path.value += (path.value.empty() ? "" : ":") + entry;
  }
  environment.push_back(std::move(path));
  return environment;
}

Result<std::vector<std::string>> HostTranslation::arguments(const CommandPart& part, std::size_t first_word,
                                                            const fs::path& working_directory) {
  std::vector<std::string> words = part.words;
  for (std::size_t i = first_word; i < words.size(); ++i) {
    if (part.form == ImageCommand::Form::kShell && i + 1 == words.size()) {
      words[i] = shell_script(words[i], part.source);
      continue;
    }
    Result<void> translated = translate(words[i], part.source, working_directory);
    if (!translated) return translated.error();
  }
  return words;
}

Result<void> HostTranslation::translate(std::string& word, const std::string& source,
                                        const fs::path& working_directory) {
  if (word.starts_with("--")) {
    const std::size_t path_at = word.find("=/");
    if (path_at == std::string::npos) return {};
    const std::string image_path = word.substr(path_at + 1);
    const std::optional<HostPath> found = paths_.find(image_path);
    if (!found) return {};
    note_path(source, image_path, *found);
    word = word.substr(0, path_at + 1) + found->path.string();
    return {};
  }
  if (word.empty() || word == "/" || word.starts_with('-')) return {};
  const bool absolute = word.starts_with('/');
  const bool script = ends_with_one_of(word, kScriptEndings);
  if (!absolute) {
    const bool names_a_file = script || word.find('/') != std::string::npos;
    if (!names_a_file || host_.exists(working_directory / word)) return {};
  }
  const std::string image_path = absolute_image_path(word, workdir());
  if (const std::optional<HostPath> found = paths_.find(image_path)) {
    note_path(source, image_path, *found);
    word = found->path.string();
    return {};
  }
  if (!absolute && !script) return {};
  const CopyStep* const step = paths_.origin(image_path);
  if (step == nullptr || (absolute && host_.exists(word))) return {};
  if (absolute && ends_with_one_of(word, kRunFileEndings)) {
    const fs::path as_path(image_path);
    if (const std::optional<HostPath> directory = paths_.find(as_path.parent_path().string())) {
      word = (directory->path / as_path.filename()).string();
      return {};
    }
  }
  return Error{fmt::format("{}: {} is not on this host. {}", source, word, reason(*step))};
}

std::string HostTranslation::shell_script(const std::string& script, const std::string& source) {
  std::string result;
  std::size_t at = 0;
  while (at < script.size()) {
    const bool starts_here =
        script[at] == '/' && (at == 0 || !(is_path_character(script[at - 1]) || script[at - 1] == '$' ||
                                           script[at - 1] == '}' || script[at - 1] == ':'));
    if (!starts_here) {
      result += script[at++];
      continue;
    }
    std::size_t end = at;
    while (end < script.size() && is_path_character(script[end])) ++end;
    const std::string image_path = script.substr(at, end - at);
    at = end;
    const std::optional<HostPath> found = image_path == "/" ? std::nullopt : paths_.find(image_path);
    // A path with blanks or quotes would have to be quoted for the place it stands in; it is left alone then.
    const bool plain =
        found && std::all_of(found->path.native().begin(), found->path.native().end(), is_path_character);
    if (plain) note_path(source, image_path, *found);
    result += plain ? found->path.string() : image_path;
  }
  return result;
}

}  // namespace flylocal::launch
