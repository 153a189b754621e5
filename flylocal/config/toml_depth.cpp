#include "flylocal/config/toml_depth.hpp"

namespace flylocal::config {
namespace {

/// Walks over a TOML text token by token, as far as needed to know what is a string or a comment.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<Place> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        count(c);
        if (brackets_ > kMaxTomlBrackets || dots_ > kMaxTomlDottedKey) return place_;
        advance();
      }
    }
    return std::nullopt;
  }

 private:
  void count(char c) {
    switch (c) {
      case '[':
      case '{':
        ++brackets_;
        dots_ = 0;
        break;
      case ']':
      case '}':
        if (brackets_ > 0) --brackets_;
        dots_ = 0;
        break;
      case '=':
      case ',':
      case '\n':
        dots_ = 0;
        break;
      case '.':
        ++dots_;
        break;
      default:
        break;
    }
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') advance();
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    for (int i = 0; i < (multi_line ? 3 : 1); ++i) advance();
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        advance();
        advance();
      } else if (multi_line ? text_.substr(at_, 3) == triple : text_[at_] == quote) {
        for (int i = 0; i < (multi_line ? 3 : 1); ++i) advance();
        return;
      } else if (!multi_line && text_[at_] == '\n') {
        return;  // unterminated: the parser will say so
      } else {
        advance();
      }
    }
  }

  void advance() {
    if (at_ >= text_.size()) return;
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(text_[at_]) & 0xc0) != 0x80) {
      ++place_.column;
    }
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Place place_{1, 1};
  int brackets_ = 0;
  int dots_ = 0;
};

}  // namespace

std::optional<Place> find_excessive_depth(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace flylocal::config
