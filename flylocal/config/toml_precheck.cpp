#include "flylocal/config/toml_precheck.hpp"

#include <fmt/format.h>

namespace flylocal::config {
namespace {

/// Walks over a TOML text token by token, as far as needed to know what is a string or a comment.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<TomlRefusal> run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff")) refuse("not valid TOML: this is UTF-16; save the file as UTF-8");
    while (at_ < text_.size() && !refusal_) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        count(c);
        advance();
      }
    }
    return refusal_;
  }

 private:
  void count(char c) {
    switch (c) {
      case '[':
      case '{':
        if (c == '[' && brackets_ == 0 && !in_value_) check_header();
        ++brackets_;
        dots_ = 0;
        break;
      case ']':
      case '}':
        if (brackets_ > 0) --brackets_;
        dots_ = 0;
        break;
      case '=':
        in_value_ = in_value_ || brackets_ == 0;
        dots_ = 0;
        break;
      case ',':
        dots_ = 0;
        break;
      case '\n':
        in_value_ = in_value_ && brackets_ > 0;
        dots_ = 0;
        break;
      case '.':
        ++dots_;
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x80) {
          refuse("not valid TOML: characters outside ASCII have to stand in quotes");
        }
        break;
    }
    if (brackets_ > kMaxTomlBrackets || dots_ > kMaxTomlDottedKey) {
      refuse(fmt::format("nested too deeply: at most {} brackets inside each other and {} dots in a key",
                         kMaxTomlBrackets, kMaxTomlDottedKey));
    }
  }

  /// The library takes for granted that a [header] goes on with a name or a bracket.
  void check_header() {
    std::size_t next = at_ + (text_.substr(at_, 2) == "[[" ? 2 : 1);
    while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\t')) ++next;
    const char c = next < text_.size() ? text_[next] : '\n';
    const bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || c == '"' || c == '\'';
    if (!name) refuse("not valid TOML: a section header needs a name, such as [env]");
  }

  void refuse(std::string message) {
    if (!refusal_) refusal_ = TomlRefusal{place_, std::move(message)};
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') advance();
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    const Place opened = place_;
    for (int i = 0; i < (multi_line ? 3 : 1); ++i) advance();
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        advance();
        advance();
      } else if (multi_line ? text_.substr(at_, 3) == triple : text_[at_] == quote) {
        for (int i = 0; i < (multi_line ? 3 : 1); ++i) advance();
        // A multi-line string may end in one or two quotes of its own, right before the closing three.
        for (int i = 0; multi_line && i < 2 && text_.substr(at_, 1) == triple.substr(0, 1); ++i) advance();
        return;
      } else if (!multi_line && text_[at_] == '\n') {
        break;
      } else {
        advance();
      }
    }
    if (!refusal_) refusal_ = TomlRefusal{opened, "not valid TOML: the quote that opens here is not closed"};
  }

  void advance() {
    if (at_ >= text_.size()) return;
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
      refuse(fmt::format("not valid TOML: the control character U+{:04X}", byte));
    }
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((byte & 0xc0) != 0x80) {
      ++place_.column;
    }
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Place place_{1, 1};
  int brackets_ = 0;
  int dots_ = 0;
  bool in_value_ = false;  ///< behind the = of a line
  std::optional<TomlRefusal> refusal_;
};

}  // namespace

std::optional<TomlRefusal> precheck_toml(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace flylocal::config
