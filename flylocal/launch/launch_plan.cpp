#include "flylocal/launch/launch_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "flylocal/launch/host_translation.hpp"
#include "flylocal/launch/shell_words.hpp"

namespace flylocal::launch {

namespace fs = std::filesystem;

namespace {

/// Where the image would look for a program: Docker's PATH, unless ENV PATH says more.
constexpr std::array<std::string_view, 6> kImageProgramDirectories = {
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

/// Why a list of words, run without a shell as the platform does, will not do what its author meant.
std::optional<std::string> shell_syntax(const std::vector<std::string>& words) {
  static constexpr std::array<std::string_view, 7> kOperators = {"&&", "||", "|", ";", ">", ">>", "<"};
  static constexpr std::array<std::string_view, 6> kBuiltins = {"cd",     "exec", "export",
                                                                "source", ".",    "ulimit"};
  for (const std::string& word : words) {
    if (std::find(kOperators.begin(), kOperators.end(), word) != kOperators.end()) return word;
  }
  const std::string& program = words.front();
  if (std::find(kBuiltins.begin(), kBuiltins.end(), program) != kBuiltins.end()) return program;
  const std::size_t equals = program.find('=');
  if (equals != std::string::npos && equals > 0 && program.find('/') > equals) return program;
  for (const std::string& word : words) {
    if (word.size() > 1 && word.find('$') != std::string::npos) return word;
  }
  return std::nullopt;
}

class Planner {
 public:
  Planner(const LaunchInputs& inputs, const HostFiles& host) : inputs_(inputs), host_(host) {}

  Result<LaunchPlan> run() {
    if (inputs_.image) translation_.emplace(*inputs_.image, inputs_.project_directory, host_, plan_.notes);
    Result<void> chosen = choose();
    if (!chosen) return chosen.error();
    for (const CommandPart& part : parts_) plan_.source += (plan_.source.empty() ? "" : " + ") + part.source;
    note_image();
    set_environment();
    set_user();
    plan_.working_directory = translates() ? translation_->working_directory() : inputs_.project_directory;
    Result<void> words = set_words();
    if (!words) return words.error();
    return std::move(plan_);
  }

 private:
  /// A local command is written for the host, so nothing of it is translated.
  bool translates() const { return translation_.has_value() && !local_; }

  // ---- which command ----

  Result<void> choose() {
    if (inputs_.command_override && !inputs_.command_override->argv.empty()) {
      return use_local(inputs_.command_override->argv, inputs_.command_override->origin);
    }
    std::vector<std::string> process_words;
    if (inputs_.process_command) {
      Result<std::vector<std::string>> words = split_shell_words(*inputs_.process_command);
      if (!words)
        return Error{
            fmt::format("{}: {}: {}", process_source(), words.error().message, *inputs_.process_command)};
      process_words = std::move(*words);
    }
    if (!inputs_.experimental_exec.empty()) {
      fly_toml_says_ = true;
      parts_.push_back(
          {inputs_.experimental_exec, ImageCommand::Form::kExec, "fly.toml [experimental] exec"});
      if (!process_words.empty()) {
        plan_.notes.push_back(fmt::format("{} is not used, because [experimental] exec wins on the platform",
                                          process_source()));
      }
      note_unused_option();
      return {};
    }
    fly_toml_says_ = !process_words.empty() || !inputs_.experimental_entrypoint.empty() ||
                     !inputs_.experimental_cmd.empty();
    if (!fly_toml_says_ && inputs_.command_option) {
      Result<std::vector<std::string>> words = split_shell_words(*inputs_.command_option);
      if (!words) return Error{fmt::format("--cmd: {}: {}", words.error().message, *inputs_.command_option)};
      if (words->empty())
        return Error{"--cmd is empty; it takes a command line, e.g. --cmd \"node server.js\""};
      return use_local(std::move(*words), "--cmd");
    }
    if (fly_toml_says_) note_unused_option();
    add_entrypoint();
    add_command(std::move(process_words));
    if (parts_.empty()) return Error{nothing_says()};
    return {};
  }

  Result<void> use_local(std::vector<std::string> argv, std::string source) {
    local_ = true;
    parts_.push_back({std::move(argv), ImageCommand::Form::kExec, std::move(source)});
    return {};
  }

  void note_unused_option() {
    if (!inputs_.command_option) return;
    plan_.notes.push_back(
        fmt::format("--cmd is not used for process group {}, because fly.toml says what it runs; "
                    "[commands] in flylocal.toml goes before fly.toml",
                    inputs_.group));
  }

  std::string process_source() const { return fmt::format("fly.toml [processes] {}", inputs_.group); }

  void add_entrypoint() {
    if (!inputs_.experimental_entrypoint.empty()) {
      parts_.push_back(
          {inputs_.experimental_entrypoint, ImageCommand::Form::kExec, "fly.toml [experimental] entrypoint"});
    } else if (inputs_.image && inputs_.image->entrypoint) {
      add_image_command(*inputs_.image->entrypoint, "ENTRYPOINT");
    }
  }

  void add_command(std::vector<std::string> process_words) {
    if (!process_words.empty()) {
      parts_.push_back({std::move(process_words), ImageCommand::Form::kExec, process_source()});
    } else if (!inputs_.experimental_cmd.empty()) {
      parts_.push_back({inputs_.experimental_cmd, ImageCommand::Form::kExec, "fly.toml [experimental] cmd"});
    } else if (inputs_.image && inputs_.image->cmd) {
      add_image_command(*inputs_.image->cmd, "CMD");
    }
    if (parts_.size() == 2 && parts_[0].form == ImageCommand::Form::kShell) {
      plan_.notes.push_back(
          fmt::format("{} is in shell form, so the shell ignores the words of {} (in the image too)",
                      parts_[0].source, parts_[1].source));
    }
  }

  void add_image_command(const ImageCommand& command, std::string_view keyword) {
    if (command.argv.empty()) return;
    parts_.push_back({command.argv, command.form,
                      fmt::format("{} line {}: {}", inputs_.image->file_name, command.line, keyword)});
  }

  std::string nothing_says() const {
    std::string reason;
    if (inputs_.image) {
      const ImageConfig& image = *inputs_.image;
      reason = fmt::format("{} has neither ENTRYPOINT nor CMD", image.file_name);
      if (image.base_image != "scratch") {
        reason += fmt::format(
            ", and those of its base image {} (line {}) are not known here, because no image is pulled",
            image.base_image, image.base_image_line);
      }
    } else if (!inputs_.image_reference.empty()) {
      reason = fmt::format(
          "fly.toml [build] names the image {}, whose own command is not known here, because no image is "
          "pulled",
          inputs_.image_reference);
    } else {
      reason = "there is no Dockerfile either";
    }
    return fmt::format(
        "nothing says what the process group {0} runs: fly.toml has no command for it, and {1}.\n"
        "Say it in one of these ways:\n"
        "  in fly.toml:          [processes]\n"
        "                        {0} = \"node server.js\"\n"
        "  in the Dockerfile:    CMD [\"node\", \"server.js\"]\n"
        "  on the command line:  flylocal up --cmd \"node server.js\"",
        inputs_.group, reason);
  }

  // ---- around the command ----

  void note_image() {
    if (local_) return;
    if (!inputs_.image) {
      if (inputs_.image_reference.empty() || !inputs_.experimental_exec.empty()) return;
      plan_.notes.push_back(
          fmt::format("fly.toml [build]: the image {} is not pulled, so what it sets itself (ENTRYPOINT, "
                      "ENV, files) is not here",
                      inputs_.image_reference));
      return;
    }
    const ImageConfig& image = *inputs_.image;
    for (const ImageNote& note : image.notes) {
      plan_.notes.push_back(fmt::format("{} line {}: {}", image.file_name, note.line, note.message));
    }
    if (image.base_image != "scratch") {
      std::string unknown;
      if (!image.entrypoint) unknown += "ENTRYPOINT, ";
      if (!image.cmd && !image.cmd_reset_by_entrypoint) unknown += "CMD, ";
      plan_.notes.push_back(
          fmt::format("{} line {}: the base image {} is not pulled, so what it sets itself ({}ENV, files) "
                      "is not here",
                      image.file_name, image.base_image_line, image.base_image, unknown));
    }
    for (const CopyStep* step : translation_->paths().not_on_host()) {
      plan_.notes.push_back(
          fmt::format("{} line {}: {}: nothing of it is on this host, because no stage is built",
                      image.file_name, step->line, step->text));
    }
  }

  void set_environment() {
    if (translation_) {
      plan_.env = translation_->environment(inputs_.host_path, inputs_.mounts);
    } else {
      plan_.env.push_back({"PATH", inputs_.host_path, 0});
    }
  }

  const std::string& path() const {
    return std::find_if(plan_.env.begin(), plan_.env.end(),
                        [](const ImageVariable& v) { return v.name == "PATH"; })
        ->value;
  }

  void set_user() {
    if (!inputs_.image || !inputs_.image->user) return;
    const ImageSetting& user = *inputs_.image->user;
    const std::string name = user.value.substr(0, user.value.find(':'));
    const bool number = !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
    if (number || host_.has_user(name)) {
      plan_.user = user.value;
      return;
    }
    plan_.notes.push_back(fmt::format(
        "{} line {}: USER {} is not a user of this host; the machine runs as root of its own namespaces",
        inputs_.image->file_name, user.line, user.value));
  }

  // ---- the words ----

  Result<void> set_words() {
    for (const CommandPart& part : parts_) {
      const std::size_t first = &part == &parts_.front() ? 1 : 0;
      if (!translates()) {
        plan_.argv.insert(plan_.argv.end(), part.words.begin(), part.words.end());
        continue;
      }
      Result<std::vector<std::string>> words = translation_->arguments(part, first, plan_.working_directory);
      if (!words) return Error{words.error().message + ways_out()};
      plan_.argv.insert(plan_.argv.end(), words->begin(), words->end());
    }
    Result<void> found = find_program();
    if (!found) return Error{found.error().message + ways_out()};
    if (parts_.front().form == ImageCommand::Form::kExec) note_shell_syntax();
    return {};
  }

  /// The platform runs these words as they are, so this goes wrong there as well.
  void note_shell_syntax() {
    if (plan_.program.filename() == "sh" || plan_.program.filename() == "bash") return;
    for (const CommandPart& part : parts_) {
      if (const std::optional<std::string> sign = shell_syntax(part.words)) {
        plan_.notes.push_back(fmt::format(
            "{}: no shell reads this line, so {} is an ordinary word; if a shell is meant, write sh -c '...'",
            part.source, *sign));
      }
    }
  }

  Result<void> find_program() {
    const std::string written = parts_.front().words.front();
    if (written.empty()) return Error{fmt::format("{}: the program's name is empty", parts_.front().source)};
    if (written.find('/') == std::string::npos) return find_by_name(written);
    if (translates()) {
      const bool in_place = !written.starts_with('/') && host_.exists(plan_.working_directory / written);
      if (!in_place) {
        if (const auto found =
                translation_->paths().find(absolute_image_path(written, translation_->workdir()))) {
          plan_.argv.front() = found->path.string();
          plan_.notes.push_back(fmt::format("{}: {} is {} here, by {}", parts_.front().source, written,
                                            found->path.string(), translation_->name(*found->step)));
          return use_program(found->path);
        }
      }
    }
    const fs::path program = (plan_.working_directory / written).lexically_normal();
    if (host_.exists(program)) return use_program(program);
    std::string message = fmt::format("{}: {} is not on this host.", parts_.front().source, written);
    if (!written.starts_with('/')) {
      message = fmt::format("{}: {} is not in {}.", parts_.front().source, written,
                            plan_.working_directory.string());
    }
    if (translates()) {
      if (const CopyStep* step =
              translation_->paths().origin(absolute_image_path(written, translation_->workdir()))) {
        return Error{message + " " + translation_->reason(*step)};
      }
    }
    const std::string name = fs::path(written).filename().string();
    if (const auto elsewhere = find_in_path(name, path(), plan_.working_directory, host_)) {
      message += fmt::format(" This host has {} at {}.", name, elsewhere->string());
    } else if (translates()) {
      message += image_only();
    }
    return Error{message};
  }

  static std::string image_only() {
    return " In the image it comes from the base image or from a RUN line; install it on this host.";
  }

  Result<void> find_by_name(const std::string& name) {
    if (translates()) {
      // COPY --from=build /src/build/server /usr/local/bin/ says exactly which program is meant.
      for (const std::string_view directory : kImageProgramDirectories) {
        const auto found = translation_->paths().find(fmt::format("{}/{}", directory, name));
        if (!found || !host_.is_executable(found->path)) continue;
        plan_.notes.push_back(fmt::format("{}: {} is {} here, by {}", parts_.front().source, name,
                                          found->path.string(), translation_->name(*found->step)));
        return use_program(found->path);
      }
    }
    if (const auto found = find_in_path(name, path(), plan_.working_directory, host_))
      return use_program(*found);
    std::string message = fmt::format("{}: {}: not found in PATH ({}).", parts_.front().source, name, path());
    if (const std::optional<std::string> sign = shell_syntax(parts_.front().words)) {
      message += fmt::format(
          " No shell reads this line, so {} is an ordinary word; if a shell is meant, write sh -c '...'.",
          *sign);
    } else if (translates()) {
      const CopyStep* const step = translation_->paths().origin_of_name(name);
      message += step != nullptr ? " " + translation_->reason(*step) : image_only();
    }
    return Error{message};
  }

  Result<void> use_program(const fs::path& program) {
    if (!host_.is_executable(program)) {
      const bool directory = host_.is_directory(program);
      return Error{fmt::format("{}: {} is {}", parts_.front().source, program.string(),
                               directory
                                   ? "a directory, not a program."
                                   : fmt::format("not executable; run chmod +x {}.", program.string()))};
    }
    plan_.program = program;
    return {};
  }

  std::string ways_out() const {
    if (local_) return "";
    const std::string example = fmt::format("[commands] {} = \"...\" in flylocal.toml", inputs_.group);
    return fmt::format(" Or say what to run here: {}{}.", example,
                       fly_toml_says_ ? "" : ", or --cmd \"...\"");
  }

  const LaunchInputs& inputs_;
  const HostFiles& host_;
  LaunchPlan plan_;
  std::optional<HostTranslation> translation_;
  std::vector<CommandPart> parts_;
  bool local_ = false;          // [commands] or --cmd: written for this host
  bool fly_toml_says_ = false;  // --cmd comes after it
};

}  // namespace

Result<LaunchPlan> plan_launch(const LaunchInputs& inputs, const HostFiles& host) {
  return Planner(inputs, host).run();
}

}  // namespace flylocal::launch
