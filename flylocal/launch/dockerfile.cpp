#include "flylocal/launch/dockerfile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <set>

#include "flylocal/launch/dockerfile_instructions.hpp"
#include "flylocal/launch/image_paths.hpp"
#include "flylocal/launch/text_file.hpp"
#include "flylocal/launch/variable_expansion.hpp"

namespace flylocal::launch {
namespace {

// What Docker gives an image that sets no PATH; base images of every distribution have this value too.
constexpr std::string_view kDockerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Fly.io's builders and machines are linux/amd64.
const std::map<std::string, std::string, std::less<>> kPlatformArgs = {
    {"BUILDPLATFORM", "linux/amd64"},  {"BUILDOS", "linux"},  {"BUILDARCH", "amd64"},  {"BUILDVARIANT", ""},
    {"TARGETPLATFORM", "linux/amd64"}, {"TARGETOS", "linux"}, {"TARGETARCH", "amd64"}, {"TARGETVARIANT", ""}};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// ["a", "b"]; nothing where the text is not a JSON array of strings.
std::optional<std::vector<std::string>> parse_string_array(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  boost::json::error_code failure;
  const boost::json::value value =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), failure);
  if (failure || !value.is_array()) return std::nullopt;
  std::vector<std::string> words;
  for (const boost::json::value& element : value.get_array()) {
    if (!element.is_string()) return std::nullopt;
    words.emplace_back(element.get_string().data(), element.get_string().size());
  }
  return words;
}

std::string one_line(const Instruction& instruction) {
  std::string text = instruction.keyword;
  for (const InstructionFlag& flag : instruction.flags) {
    text += " --" + flag.name;
    if (!flag.value.empty()) text += "=" + flag.value;
  }
  text += " ";
  bool blank = false;
  for (const char c : instruction.rest) {
    const bool is_blank = c == ' ' || c == '\t';
    if (!is_blank || !blank) text += is_blank ? ' ' : c;
    blank = is_blank;
  }
  return text;
}

struct Stage {
  ImageConfig config;  // its `stages` stays empty
  StageFiles files;
  std::map<std::string, std::string, std::less<>> args;
  std::vector<std::string> shell = {"/bin/sh", "-c"};
  bool has_own_cmd = false;
  int onbuild_line = 0;
  std::vector<FileProblem> problems;
};

class DockerfileReader {
 public:
  explicit DockerfileReader(const DockerfileOptions& options) : options_(options) {}

  DockerfileReading run(std::string_view text) {
    InstructionList list = split_instructions(text, options_.file_name);
    escape_ = list.escape;
    problems_ = std::move(list.problems);
    for (const Instruction& instruction : list.instructions) read(instruction);
    return finish();
  }

 private:
  // ---- places for what is found ----

  Stage& stage() { return stages_.back(); }
  ImageConfig& config() { return stages_.back().config; }

  void problem(int line, std::string message) {
    auto& list = stages_.empty() ? problems_ : stage().problems;
    list.push_back({options_.file_name, line, 0, "", std::move(message)});
  }

  void note(int line, std::string message) { config().notes.push_back({line, std::move(message)}); }

  // ---- variables ----

  std::optional<std::string> stage_variable(std::string_view name, int line) {
    // ENV goes before ARG of the same name, whichever was written first.
    for (const ImageVariable& variable : config().env) {
      if (variable.name == name) return variable.value;
    }
    if (const auto found = stage().args.find(name); found != stage().args.end()) return found->second;
    if (config().base_image == "scratch") return std::nullopt;
    if (name == "PATH") return std::string(kDockerPath);
    missing_.emplace(line, name);
    return std::nullopt;
  }

  /// Nothing, and a problem, where the word cannot be expanded.
  std::optional<std::string> expand(std::string_view word, int line) {
    missing_.clear();
    const VariableLookup lookup = [&](std::string_view name) { return stage_variable(name, line); };
    Result<std::string> value = expand_variables(word, escape_, lookup);
    if (!value) {
      problem(line, fmt::format("{}: {}", word, value.error().message));
      return std::nullopt;
    }
    return std::move(*value);
  }

  std::optional<std::string> expand_global(std::string_view word, int line) {
    const VariableLookup lookup = [&](std::string_view name) { return global_variable(name); };
    Result<std::string> value = expand_variables(word, escape_, lookup);
    if (value) return std::move(*value);
    problems_.push_back(
        {options_.file_name, line, 0, "", fmt::format("{}: {}", word, value.error().message)});
    return std::nullopt;
  }

  std::optional<std::string> global_variable(std::string_view name) const {
    if (const auto found = global_args_.find(name); found != global_args_.end()) return found->second;
    if (const auto found = kPlatformArgs.find(name); found != kPlatformArgs.end()) return found->second;
    return std::nullopt;
  }

  // A value that decides how the program runs and that leans on a variable only the base image can know.
  void note_missing(std::string_view keyword) {
    for (const auto& [line, name] : missing_) {
      note(line, fmt::format("{} uses ${}, which this Dockerfile does not set; it is taken as empty here, "
                             "but the base image {} may set it",
                             keyword, name, config().base_image));
    }
    missing_.clear();
  }

  // ---- instructions ----

  void read(const Instruction& instruction) {
    const std::string& keyword = instruction.keyword;
    if (keyword == "FROM") return read_from(instruction);
    if (keyword == "ARG") return read_arg(instruction);
    if (stages_.empty()) {
      return problem(instruction.line,
                     fmt::format("{} before the first FROM; only ARG may stand there", keyword));
    }
    const bool may_have_flags = keyword == "COPY" || keyword == "ADD" || keyword == "RUN" ||
                                keyword == "HEALTHCHECK" || keyword == "ONBUILD";
    if (!instruction.flags.empty() && !may_have_flags) {
      return problem(instruction.line,
                     fmt::format("{} has no flag --{}", keyword, instruction.flags[0].name));
    }
    if (keyword == "ENV") return read_env(instruction);
    if (keyword == "WORKDIR") return read_workdir(instruction);
    if (keyword == "USER") return read_setting(instruction, config().user);
    if (keyword == "STOPSIGNAL") return read_setting(instruction, config().stop_signal);
    if (keyword == "EXPOSE") return read_expose(instruction);
    if (keyword == "SHELL") return read_shell(instruction);
    if (keyword == "ENTRYPOINT") return read_entrypoint(instruction);
    if (keyword == "CMD") return read_cmd(instruction);
    if (keyword == "COPY" || keyword == "ADD") return read_copy(instruction);
    if (keyword == "ONBUILD") stage().onbuild_line = instruction.line;
  }

  void read_from(const Instruction& instruction) {
    const int line = instruction.line;
    const std::vector<std::string> words = split_raw_words(instruction.rest, escape_);
    const std::optional<std::string> image = expand_global(words[0], line);
    Stage next;
    next.config.file_name = options_.file_name;
    if (words.size() == 3 && equal_ignoring_case(words[1], "AS")) {
      next.files.name = words[2];
    } else if (words.size() != 1) {
      problems_.push_back(
          {options_.file_name, line, 0, "",
           fmt::format("FROM {}: expected FROM image or FROM image AS name", instruction.rest)});
    }
    if (image && image->empty()) {
      problems_.push_back(
          {options_.file_name, line, 0, "",
           fmt::format("FROM {}: the image's name is empty; is an ARG above the first FROM, or a "
                       "value in fly.toml's [build.args], missing?",
                       instruction.rest)});
    }
    const std::string base = image.value_or("");
    if (const std::optional<std::size_t> earlier = stage_named(base)) {
      inherit(next, *earlier, line);
    } else {
      next.config.base_image = base;
      next.config.base_image_line = line;
    }
    stages_.push_back(std::move(next));
  }

  void inherit(Stage& next, std::size_t earlier, int line) const {
    const Stage& base = stages_[earlier];
    next.config = base.config;
    next.shell = base.shell;
    next.files.based_on = earlier;
    // ARG ends with its stage; ENV, WORKDIR, USER, EXPOSE, ENTRYPOINT, CMD and SHELL are part of the image.
    if (base.onbuild_line > 0) {
      next.config.notes.push_back(
          {line,
           fmt::format("ONBUILD instructions of the stage it is based on (line {}) are not applied here",
                       base.onbuild_line)});
    }
  }

  std::optional<std::size_t> stage_named(std::string_view name) const {
    for (std::size_t i = stages_.size(); i-- > 0;) {
      if (!stages_[i].files.name.empty() && equal_ignoring_case(stages_[i].files.name, name)) return i;
    }
    return std::nullopt;
  }

  void read_arg(const Instruction& instruction) {
    for (const std::string& word : split_raw_words(instruction.rest, escape_)) {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      std::optional<std::string> value;
      if (const auto given = options_.build_args.find(name); given != options_.build_args.end()) {
        value = given->second;
      } else if (equals != std::string::npos) {
        const std::string_view written = std::string_view(word).substr(equals + 1);
        value =
            stages_.empty() ? expand_global(written, instruction.line) : expand(written, instruction.line);
      } else if (!stages_.empty()) {
        value = global_variable(name);
      }
      // An ARG without a value is declared, but a variable that is not set.
      if (!value) continue;
      (stages_.empty() ? global_args_ : stage().args)[name] = *value;
    }
  }

  void read_env(const Instruction& instruction) {
    const int line = instruction.line;
    const std::vector<std::string> words = split_raw_words(instruction.rest, escape_);
    std::vector<ImageVariable> added;
    const auto add = [&](std::string_view name, std::string_view raw) {
      if (std::optional<std::string> value = expand(raw, line)) {
        added.push_back({std::string(name), std::move(*value), line});
        note_missing(fmt::format("ENV {}", name));
      }
    };
    if (words[0].find('=') == std::string::npos) {
      const std::string& rest = instruction.rest;
      const std::size_t value_at = rest.find_first_not_of(" \t", words[0].size());
      if (value_at == std::string::npos) return problem(line, "ENV needs a name and a value: ENV NAME=value");
      add(words[0], std::string_view(rest).substr(value_at));
    } else {
      for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos || equals == 0) {
          problem(line,
                  fmt::format("ENV: {} is not of the form NAME=value; quote a value that has blanks", word));
          continue;
        }
        add(std::string_view(word).substr(0, equals), std::string_view(word).substr(equals + 1));
      }
    }
    // Variables of one instruction do not see each other, so they are set after all were expanded.
    for (ImageVariable& variable : added) set_env(std::move(variable));
  }

  void set_env(ImageVariable variable) {
    for (ImageVariable& known : config().env) {
      if (known.name != variable.name) continue;
      known = std::move(variable);
      return;
    }
    config().env.push_back(std::move(variable));
  }

  void read_workdir(const Instruction& instruction) {
    const std::optional<std::string> path = expand(instruction.rest, instruction.line);
    if (!path) return;
    note_missing("WORKDIR");
    config().workdir = ImageSetting{absolute_image_path(*path, workdir()), instruction.line};
  }

  std::string workdir() { return config().workdir ? config().workdir->value : "/"; }

  void read_setting(const Instruction& instruction, std::optional<ImageSetting>& setting) {
    const std::optional<std::string> value = expand(instruction.rest, instruction.line);
    if (!value) return;
    note_missing(instruction.keyword);
    if (value->empty()) {
      setting.reset();
    } else {
      setting = ImageSetting{*value, instruction.line};
    }
  }

  void read_expose(const Instruction& instruction) {
    for (const std::string& raw : split_raw_words(instruction.rest, escape_)) {
      const std::optional<std::string> expanded = expand(raw, instruction.line);
      if (!expanded) continue;
      note_missing("EXPOSE");
      for (const std::string& word : split_raw_words(*expanded, escape_)) add_exposed(word, instruction.line);
    }
  }

  void add_exposed(std::string_view word, int line) {
    const std::size_t slash = word.find('/');
    const std::string_view protocol = slash == std::string_view::npos ? "tcp" : word.substr(slash + 1);
    const std::string_view ports = word.substr(0, slash);
    const std::size_t dash = ports.find('-');
    const auto first = whole_number<std::uint16_t>(ports.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : whole_number<std::uint16_t>(ports.substr(dash + 1));
    const bool tcp = equal_ignoring_case(protocol, "tcp");
    const bool udp = equal_ignoring_case(protocol, "udp");
    if (equal_ignoring_case(protocol, "sctp")) return;  // no service of Fly.io can carry it
    if (!first || !last || *first == 0 || *last < *first || (!tcp && !udp)) {
      return problem(
          line,
          fmt::format("EXPOSE {}: expected a port or a range of ports from 1 to 65535, with /tcp or /udp",
                      word));
    }
    const auto kind = udp ? ExposedPorts::Protocol::kUdp : ExposedPorts::Protocol::kTcp;
    config().exposed.push_back({*first, *last, kind, line});
  }

  void read_shell(const Instruction& instruction) {
    std::optional<std::vector<std::string>> words = parse_string_array(instruction.rest);
    if (!words || words->empty()) {
      return problem(instruction.line, R"(SHELL needs the JSON form, e.g. SHELL ["/bin/bash", "-c"])");
    }
    stage().shell = std::move(*words);
  }

  ImageCommand command(const Instruction& instruction) {
    if (std::optional<std::vector<std::string>> words = parse_string_array(instruction.rest)) {
      const bool nul = std::any_of(words->begin(), words->end(), [](auto& word) { return word.find('\0') != std::string::npos; });
      if (nul) problem(instruction.line, instruction.keyword + ": an argument cannot have a NUL character");
      return {std::move(*words), ImageCommand::Form::kExec, instruction.line};
    }
    if (instruction.rest.starts_with('[')) {
      note(instruction.line,
           fmt::format(
               "{} looks like the exec form, but is no JSON array of strings (double quotes, no comma at "
               "the end), so Docker hands the text to the shell, brackets included",
               instruction.keyword));
    }
    ImageCommand shell_form{stage().shell, ImageCommand::Form::kShell, instruction.line};
    shell_form.argv.push_back(instruction.rest);
    return shell_form;
  }

  void read_entrypoint(const Instruction& instruction) {
    config().entrypoint = command(instruction);
    if (stage().has_own_cmd) return;
    config().cmd.reset();
    config().cmd_reset_by_entrypoint = true;
  }

  void read_cmd(const Instruction& instruction) {
    config().cmd = command(instruction);
    config().cmd_reset_by_entrypoint = false;
    stage().has_own_cmd = true;
  }

  void read_copy(const Instruction& instruction) {
    const int line = instruction.line;
    std::vector<std::string> words;
    if (std::optional<std::vector<std::string>> array = parse_string_array(instruction.rest)) {
      words = std::move(*array);
    } else {
      words = split_raw_words(instruction.rest, escape_);
    }
    if (words.size() < 2) {
      return problem(line, fmt::format("{} needs a source and a destination", instruction.keyword));
    }
    for (std::string& word : words) {
      std::optional<std::string> expanded = expand(word, line);
      if (!expanded) return;
      word = std::move(*expanded);
    }
    CopyStep step;
    step.line = line;
    step.text = one_line(instruction);
    const std::string destination = std::move(words.back());
    words.pop_back();
    step.destination = absolute_image_path(destination, workdir());
    // WORKDIR makes its directory, so a file that is copied "to" it goes into it.
    step.into_directory = words.size() > 1 || destination.empty() || destination.ends_with('/') ||
                          destination.ends_with("/.") || step.destination == workdir();
    if (instruction.heredocs > 0) {
      // The body is the file; there is nothing of it on the host.
      step.from = CopyStep::From::kInline;
    } else if (!choose_source(instruction, step, words)) {
      return;
    }
    stage().files.copies.push_back(std::move(step));
  }

  bool choose_source(const Instruction& instruction, CopyStep& step, const std::vector<std::string>& words) {
    const auto flag = std::find_if(instruction.flags.begin(), instruction.flags.end(),
                                   [](const InstructionFlag& f) { return f.name == "from"; });
    if (flag != instruction.flags.end()) {
      const std::optional<std::size_t> from = earlier_stage(flag->value);
      if (from) {
        step.from = CopyStep::From::kStage;
        step.stage = *from;
      } else {
        step.from = CopyStep::From::kImage;
        note(step.line, fmt::format("{}: files of the image {} are not here, because no image is pulled",
                                    step.text, flag->value));
      }
      for (const std::string& word : words) step.sources.push_back(absolute_image_path(word, "/"));
      return true;
    }
    for (const std::string& word : words) {
      const bool remote =
          instruction.keyword == "ADD" && (word.find("://") != std::string::npos || word.starts_with("git@"));
      // A leading slash and leading ../ mean the project directory itself.
      if (!remote) step.sources.push_back(absolute_image_path(word, "/").substr(1));
    }
    if (!step.sources.empty()) return true;
    step.from = CopyStep::From::kUrl;
    note(step.line, fmt::format("{}: nothing is downloaded here", step.text));
    return true;
  }

  std::optional<std::size_t> earlier_stage(std::string_view name) const {
    const std::size_t current = stages_.size() - 1;
    if (const std::optional<std::size_t> number = whole_number<std::size_t>(name);
        number && *number < current) {
      return number;
    }
    const std::optional<std::size_t> named = stage_named(name);
    return named && *named < current ? named : std::nullopt;
  }

  // ---- the result ----

  DockerfileReading finish() {
    DockerfileReading reading;
    if (stages_.empty() && problems_.empty()) {
      problems_.push_back({options_.file_name, 0, 0, "", "there is no FROM, so this is no Dockerfile"});
    }
    const std::optional<std::size_t> target = stages_.empty() ? std::nullopt : find_target();
    reading.problems = std::move(problems_);
    if (target) {
      // Docker builds only the stages that the target needs, so a mistake in another one does not count.
      for (const std::size_t needed : needed_stages(*target)) {
        auto& list = stages_[needed].problems;
        reading.problems.insert(reading.problems.end(), list.begin(), list.end());
      }
    }
    std::stable_sort(reading.problems.begin(), reading.problems.end(),
                     [](const FileProblem& a, const FileProblem& b) { return a.line < b.line; });
    if (!target || !reading.problems.empty()) return reading;
    ImageConfig image = std::move(stages_[*target].config);
    image.stage = *target;
    for (Stage& each : stages_) image.stages.push_back(std::move(each.files));
    reading.image = std::move(image);
    return reading;
  }

  std::optional<std::size_t> find_target() {
    if (options_.target.empty()) return stages_.size() - 1;
    if (const std::optional<std::size_t> named = stage_named(options_.target)) return named;
    const auto number = whole_number<std::size_t>(options_.target);
    if (number && *number < stages_.size()) return number;
    std::string known;
    for (const Stage& each : stages_) {
      if (!each.files.name.empty()) known += (known.empty() ? "" : ", ") + each.files.name;
    }
    problems_.push_back(
        {options_.file_name, 0, 0, "",
         fmt::format("there is no stage {} (fly.toml [build] build-target); stages with a name: {}",
                     options_.target, known.empty() ? "none" : known)});
    return std::nullopt;
  }

  std::set<std::size_t> needed_stages(std::size_t target) const {
    std::set<std::size_t> needed;
    std::vector<std::size_t> open = {target};
    while (!open.empty()) {
      const std::size_t index = open.back();
      open.pop_back();
      if (!needed.insert(index).second) continue;
      const StageFiles& files = stages_[index].files;
      if (files.based_on) open.push_back(*files.based_on);
      for (const CopyStep& step : files.copies) {
        if (step.from == CopyStep::From::kStage) open.push_back(step.stage);
      }
    }
    return needed;
  }

  const DockerfileOptions& options_;
  char escape_ = '\\';
  std::map<std::string, std::string, std::less<>> global_args_;
  std::set<std::pair<int, std::string>> missing_;  // of the word that was expanded last
  std::vector<Stage> stages_;
  std::vector<FileProblem> problems_;  // of the whole file and of FROM and ARG lines
};

}  // namespace

DockerfileReading read_dockerfile(std::string_view text, const DockerfileOptions& options) {
  return DockerfileReader(options).run(text);
}

DockerfileReading load_dockerfile(const std::filesystem::path& path, const DockerfileOptions& options) {
  const Result<std::string> text = read_text_file(path);
  if (text) return read_dockerfile(*text, options);
  return {std::nullopt, {{options.file_name, 0, 0, "", text.error().message}}};
}

std::optional<std::filesystem::path> find_dockerfile(const std::filesystem::path& project_directory) {
  for (const std::string_view name : {"Dockerfile", "dockerfile"}) {
    std::error_code failure;
    std::filesystem::path path = project_directory / name;
    if (std::filesystem::is_regular_file(path, failure)) return path;
  }
  return std::nullopt;
}

}  // namespace flylocal::launch
