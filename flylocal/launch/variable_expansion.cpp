#include "flylocal/launch/variable_expansion.hpp"

#include <fmt/format.h>

namespace flylocal::launch {
namespace {

bool is_name_start(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Expansion {
 public:
  Expansion(std::string_view word, char escape, const VariableLookup& lookup)
      : word_(word), escape_(escape), lookup_(lookup) {}

  Result<std::string> run() {
    std::string value = read_until('\0', 0);
    if (!failure_.empty()) return Error{failure_};
    return {boost::system::in_place_value, std::move(value)};
  }

 private:
  static constexpr int kDeepestNesting = 32;  // ${a:-${b:-${c}}}: far beyond what anybody writes

  bool more() const { return at_ < word_.size() && failure_.empty(); }

  void fail(std::string message) {
    if (failure_.empty()) failure_ = std::move(message);
  }

  /// Reads up to `end`, which is consumed; '\0' stands for the end of the word.
  std::string read_until(char end, int depth) {
    std::string value;
    const std::size_t start = at_;
    if (depth > kDeepestNesting) {
      fail("variables are nested too deeply");
      return value;
    }
    while (more()) {
      const char c = word_[at_];
      if (end != '\0' && c == end) {
        ++at_;
        return value;
      }
      if (c == '\'') {
        read_single_quoted(value);
      } else if (c == '"') {
        read_double_quoted(value, depth);
      } else if (c == '$') {
        read_variable(value, depth);
      } else if (c == escape_) {
        ++at_;
        if (at_ < word_.size()) value += word_[at_++];
      } else {
        value += c;
        ++at_;
      }
    }
    if (end != '\0') fail(fmt::format("a ${{ is not closed with }} (in column {} of the word)", start));
    return value;
  }

  void read_single_quoted(std::string& value) {
    const std::size_t close = word_.find('\'', at_ + 1);
    if (close == std::string_view::npos) return fail("a single quote is not closed");
    value += word_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
  }

  void read_double_quoted(std::string& value, int depth) {
    ++at_;
    while (more()) {
      const char c = word_[at_];
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '$') {
        read_variable(value, depth);
      } else if (c == escape_ && at_ + 1 < word_.size()) {
        const char next = word_[at_ + 1];
        // As in a shell, inside double quotes the escape works only before these three.
        if (next != '"' && next != '$' && next != escape_) value += c;
        value += next;
        at_ += 2;
      } else {
        value += c;
        ++at_;
      }
    }
    fail("a double quote is not closed");
  }

  std::string read_name() {
    const std::size_t start = at_;
    if (at_ < word_.size() && is_name_start(word_[at_])) {
      while (at_ < word_.size() && (is_name_start(word_[at_]) || is_digit(word_[at_]))) ++at_;
    } else {
      while (at_ < word_.size() && is_digit(word_[at_])) ++at_;
    }
    return std::string(word_.substr(start, at_ - start));
  }

  void read_variable(std::string& value, int depth) {
    ++at_;
    if (at_ >= word_.size() || word_[at_] != '{') {
      const std::string name = read_name();
      value += name.empty() ? "$" : lookup_(name).value_or("");
      return;
    }
    ++at_;
    const std::string name = read_name();
    if (name.empty()) return fail("${ is not followed by a variable's name");
    if (at_ >= word_.size()) return fail(fmt::format("${{{} is not closed with }}", name));
    if (word_[at_] == '}') {
      ++at_;
      value += lookup_(name).value_or("");
      return;
    }
    const bool empty_counts_as_unset = word_[at_] == ':';
    if (empty_counts_as_unset) ++at_;
    const char operation = at_ < word_.size() ? word_[at_] : '\0';
    if (operation != '-' && operation != '+' && operation != '?') {
      return fail(fmt::format("${{{}...}}: only :- - :+ + :? and ? are understood after the name", name));
    }
    ++at_;
    const std::string other = read_until('}', depth + 1);
    const std::optional<std::string> current = lookup_(name);
    const bool set = current && !(empty_counts_as_unset && current->empty());
    if (operation == '+') {
      if (set) value += other;
    } else if (set) {
      value += *current;
    } else if (operation == '-') {
      value += other;
    } else {
      fail(fmt::format("variable {} is not set{}{}", name, other.empty() ? "" : ": ", other));
    }
  }

  std::string_view word_;
  char escape_;
  const VariableLookup& lookup_;
  std::size_t at_ = 0;
  std::string failure_;
};

}  // namespace

Result<std::string> expand_variables(std::string_view word, char escape, const VariableLookup& lookup) {
  return Expansion(word, escape, lookup).run();
}

std::vector<std::string> split_raw_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
      continue;
    }
    word += c;
    if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
    } else if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '\'' || c == '"') {
      quote = c;
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

}  // namespace flylocal::launch
