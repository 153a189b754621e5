#include "flylocal/launch/secrets_file.hpp"

#include <fmt/format.h>

#include <optional>

#include "flylocal/launch/text_file.hpp"

namespace flylocal::launch {
namespace {

bool is_name_start(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
bool is_name_part(char c) {
  return is_name_start(c) || (c >= '0' && c <= '9');
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

class SecretsParser {
 public:
  SecretsParser(std::string_view text, const std::string& file_name) : text_(text), file_name_(file_name) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  SecretsReading run() {
    while (at_ < text_.size()) read_line();
    if (!reading_.problems.empty()) reading_.secrets.clear();
    return std::move(reading_);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }

  void advance() {
    if (at_ >= text_.size()) return;
    if (text_[at_] == '\n') {
      ++line_;
      line_start_ = at_ + 1;
    }
    ++at_;
  }

  int column() const { return static_cast<int>(at_ - line_start_) + 1; }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) advance();
  }

  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') advance();
    advance();
  }

  void problem(int line, int column, std::string message) {
    reading_.problems.push_back({file_name_, line, column, "", std::move(message)});
  }

  void read_line() {
    skip_blanks();
    if (peek() == '\n' || peek() == '#') return skip_line();
    if (text_.substr(at_).starts_with("export") && at_ + 6 < text_.size() && is_blank(text_[at_ + 6])) {
      at_ += 6;
      skip_blanks();
    }
    const int line = line_;
    const int name_column = column();
    const std::size_t name_start = at_;
    if (!is_name_start(peek())) {
      problem(line, name_column,
              "expected NAME=VALUE; a name has letters, digits and _ and does not begin with a digit");
      return skip_line();
    }
    while (at_ < text_.size() && is_name_part(text_[at_])) advance();
    const std::string name(text_.substr(name_start, at_ - name_start));
    skip_blanks();
    if (peek() != '=') {
      // Nothing of the line is shown: it may be the second line of a secret.
      problem(line, column(), "expected '=' after the name: NAME=VALUE");
      return skip_line();
    }
    advance();
    skip_blanks();
    const char quote = peek();
    const std::optional<std::string> value =
        quote == '\'' || quote == '"' ? read_quoted(quote) : read_plain();
    if (!value) return;
    const auto [first, added] = lines_.emplace(name, line);
    if (!added) {
      problem(
          line, name_column,
          fmt::format("{} is given a second time (first in line {}); keep one of them", name, first->second));
      return;
    }
    reading_.secrets[name] = *value;
  }

  std::string read_plain() {
    const std::size_t start = at_;
    std::size_t end = at_;
    for (; at_ < text_.size() && text_[at_] != '\n'; advance()) {
      if (text_[at_] == '#' && (at_ == start || is_blank(text_[at_ - 1]))) break;
      if (!is_blank(text_[at_])) end = at_ + 1;
    }
    std::string value(text_.substr(start, end - start));
    skip_line();
    return value;
  }

  std::optional<std::string> read_quoted(char quote) {
    const int line = line_;
    const int opened_at = column();
    advance();
    std::string value;
    for (; at_ < text_.size() && text_[at_] != quote; advance()) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
        advance();
        append_escaped(value, text_[at_]);
      } else {
        value += text_[at_];
      }
    }
    if (at_ >= text_.size()) {
      problem(line, opened_at, "the quote is not closed before the end of the file");
      return std::nullopt;
    }
    advance();
    skip_blanks();
    if (peek() != '\n' && peek() != '#') {
      problem(line_, column(), "expected the end of the line or a # comment after the closing quote");
      skip_line();
      return std::nullopt;
    }
    skip_line();
    return value;
  }

  static void append_escaped(std::string& value, char c) {
    switch (c) {
      case 'n':
        value += '\n';
        break;
      case 'r':
        value += '\r';
        break;
      case 't':
        value += '\t';
        break;
      case '"':
      case '\\':
      case '$':
        value += c;
        break;
      default:
        value += '\\';
        value += c;
    }
  }

  std::string_view text_;
  const std::string& file_name_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::size_t line_start_ = 0;
  std::map<std::string, int> lines_;
  SecretsReading reading_;
};

}  // namespace

SecretsReading read_secrets(std::string_view text, const std::string& file_name) {
  return SecretsParser(text, file_name).run();
}

SecretsReading load_secrets(const std::filesystem::path& path) {
  Result<std::string> text = read_text_file(path);
  if (!text) return {{}, {{path.string(), 0, 0, "", text.error().message}}};
  return read_secrets(*text, path.filename().string());
}

}  // namespace flylocal::launch
