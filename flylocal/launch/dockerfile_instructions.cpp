#include "flylocal/launch/dockerfile_instructions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "flylocal/config/closest_name.hpp"
#include "flylocal/launch/variable_expansion.hpp"

namespace flylocal::launch {
namespace {

constexpr std::array<std::string_view, 18> kKeywords = {
    "ADD",   "ARG",        "CMD",     "COPY", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",   "HEALTHCHECK",
    "LABEL", "MAINTAINER", "ONBUILD", "RUN",  "SHELL",      "STOPSIGNAL", "USER",   "VOLUME", "WORKDIR"};

constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view trim_left(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

std::string_view trim_right(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

struct Heredoc {
  std::string end;
  bool strip_tabs = false;
};

/// <<EOF, <<-EOF, 3<<"EOF"; not <<<word and not 1<<2<<3.
std::optional<Heredoc> parse_heredoc(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of("0123456789"), word.size()));
  if (!word.starts_with("<<")) return std::nullopt;
  word.remove_prefix(2);
  Heredoc heredoc;
  if (word.starts_with("-")) {
    heredoc.strip_tabs = true;
    word.remove_prefix(1);
  }
  if (word.empty() || word.find('<') != std::string_view::npos) return std::nullopt;
  for (const char c : word) {
    if (c != '\'' && c != '"') heredoc.end += c;
  }
  if (heredoc.end.empty()) return std::nullopt;
  return heredoc;
}

class Splitter {
 public:
  Splitter(std::string_view text, const std::string& file_name) : file_name_(file_name) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
      const std::size_t newline = text.find('\n');
      std::string_view line = text.substr(0, newline);
      if (line.ends_with('\r')) line.remove_suffix(1);
      lines_.push_back(line);
      text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    }
  }

  InstructionList run() {
    read_directives();
    while (next_ < lines_.size()) {
      const std::string_view line = trim_left(lines_[next_]);
      if (line.empty() || line.starts_with('#')) {
        ++next_;
      } else {
        read_instruction();
      }
    }
    return std::move(list_);
  }

 private:
  void problem(int line, std::string message) {
    list_.problems.push_back({file_name_, line, 0, "", std::move(message)});
  }

  /// `# escape=` and the like count only at the very top; the first line of another kind ends them.
  void read_directives() {
    for (; next_ < lines_.size(); ++next_) {
      std::string_view line = trim_left(lines_[next_]);
      if (!line.starts_with('#')) return;
      line = trim_left(line.substr(1));
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos) return;
      std::string name(trim_right(line.substr(0, equals)));
      std::transform(name.begin(), name.end(), name.begin(), lower);
      if (name != "syntax" && name != "escape" && name != "check") return;
      if (name != "escape") continue;
      const std::string_view value = trim_right(trim_left(line.substr(equals + 1)));
      if (value == "\\" || value == "`") {
        list_.escape = value[0];
      } else {
        problem(static_cast<int>(next_) + 1, fmt::format("escape={}: allowed are \\ and `", value));
      }
    }
  }

  /// Takes the continuation sign off a line; false where the line has none.
  bool take_continuation(std::string_view& line) const {
    const std::string_view trimmed = trim_right(line);
    if (!trimmed.ends_with(list_.escape)) return false;
    // A doubled sign is an escaped one and continues nothing.
    if (trimmed.size() >= 2 && trimmed[trimmed.size() - 2] == list_.escape) return false;
    line = trimmed.substr(0, trimmed.size() - 1);
    return true;
  }

  void read_instruction() {
    Instruction instruction;
    instruction.line = static_cast<int>(next_) + 1;
    std::string text;
    std::string_view line = trim_left(lines_[next_++]);
    bool continues = take_continuation(line);
    text += line;
    while (continues && next_ < lines_.size()) {
      line = lines_[next_++];
      const std::string_view trimmed = trim_left(line);
      if (trimmed.empty() || trimmed.starts_with('#')) continue;
      continues = take_continuation(line);
      text += line;
    }
    split(instruction, trim_right(text));
    skip_heredocs(instruction);
    check_keyword(instruction);
  }

  static void split(Instruction& instruction, std::string_view text) {
    const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
    instruction.keyword = text.substr(0, end);
    std::transform(instruction.keyword.begin(), instruction.keyword.end(), instruction.keyword.begin(),
                   upper);
    std::string_view rest = trim_left(text.substr(end));
    while (rest.starts_with("--")) {
      const std::size_t flag_end = std::min(rest.find_first_of(kBlanks), rest.size());
      const std::string_view flag = rest.substr(2, flag_end - 2);
      if (flag.empty()) break;
      const std::size_t equals = flag.find('=');
      InstructionFlag& added = instruction.flags.emplace_back();
      added.name = flag.substr(0, equals);
      if (equals != std::string_view::npos) added.value = flag.substr(equals + 1);
      rest = trim_left(rest.substr(flag_end));
    }
    instruction.rest = rest;
  }

  void skip_heredocs(Instruction& instruction) {
    std::string_view keyword = instruction.keyword;
    if (keyword == "ONBUILD") keyword = instruction.rest;
    const bool may_have_some =
        keyword.starts_with("RUN") || keyword.starts_with("COPY") || keyword.starts_with("ADD");
    if (!may_have_some) return;
    for (const std::string& word : split_raw_words(instruction.rest, list_.escape)) {
      const std::optional<Heredoc> heredoc = parse_heredoc(word);
      if (!heredoc) continue;
      ++instruction.heredocs;
      bool closed = false;
      while (!closed && next_ < lines_.size()) {
        std::string_view line = lines_[next_++];
        if (heredoc->strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        closed = line == heredoc->end;
      }
      if (!closed)
        problem(instruction.line,
                fmt::format("the heredoc <<{} has no line {} that ends it", heredoc->end, heredoc->end));
    }
  }

  void check_keyword(Instruction& instruction) {
    if (std::find(kKeywords.begin(), kKeywords.end(), instruction.keyword) == kKeywords.end()) {
      const std::string_view meant = config::closest_name(instruction.keyword, kKeywords);
      problem(instruction.line, fmt::format("unknown instruction {}{}", instruction.keyword,
                                            meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
      return;
    }
    if (instruction.rest.empty()) {
      problem(instruction.line, fmt::format("{} has no argument", instruction.keyword));
      return;
    }
    list_.instructions.push_back(std::move(instruction));
  }

  const std::string& file_name_;
  std::vector<std::string_view> lines_;
  std::size_t next_ = 0;
  InstructionList list_;
};

}  // namespace

InstructionList split_instructions(std::string_view text, const std::string& file_name) {
  return Splitter(text, file_name).run();
}

}  // namespace flylocal::launch
