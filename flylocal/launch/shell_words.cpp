#include "flylocal/launch/shell_words.hpp"

#include <fmt/format.h>

namespace flylocal::launch {

Result<std::vector<std::string>> split_shell_words(std::string_view line) {
  enum class State { kBetween, kWord, kEscape, kSingle, kDouble, kDoubleEscape, kComment };
  State state = State::kBetween;
  std::vector<std::string> words;
  std::string word;
  std::size_t opened_at = 0;  // where the open quote or the backslash stands
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    switch (state) {
      case State::kBetween:
      case State::kWord: {
        const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (blank) {
          if (state == State::kWord) words.push_back(std::move(word));
          word.clear();
          state = State::kBetween;
        } else if (c == '#' && state == State::kBetween) {
          state = State::kComment;
        } else if (c == '\'' || c == '"' || c == '\\') {
          state = c == '\'' ? State::kSingle : c == '"' ? State::kDouble : State::kEscape;
          opened_at = i;
        } else {
          word += c;
          state = State::kWord;
        }
        break;
      }
      case State::kEscape:
        word += c;
        state = State::kWord;
        break;
      case State::kSingle:
        if (c == '\'') {
          state = State::kWord;
        } else {
          word += c;
        }
        break;
      case State::kDouble:
        if (c == '"') {
          state = State::kWord;
        } else if (c == '\\') {
          state = State::kDoubleEscape;
        } else {
          word += c;
        }
        break;
      case State::kDoubleEscape:
        word += c;
        state = State::kDouble;
        break;
      case State::kComment:
        if (c == '\n') state = State::kBetween;
        break;
    }
  }
  switch (state) {
    case State::kSingle:
      return Error{fmt::format("single quote at column {} is not closed", opened_at + 1)};
    case State::kDouble:
    case State::kDoubleEscape:
      return Error{fmt::format("double quote at column {} is not closed", opened_at + 1)};
    case State::kEscape:
      return Error{fmt::format("backslash at column {} has no character after it", opened_at + 1)};
    case State::kWord:
      words.push_back(std::move(word));
      break;
    case State::kBetween:
    case State::kComment:
      break;
  }
  return words;
}

std::string join_shell_words(const std::vector<std::string>& words) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
  std::string line;
  for (const std::string& word : words) {
    if (&word != &words.front()) line += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) {
      if (c == '\'') {
        line += R"('\'')";
      } else {
        line += c;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace flylocal::launch
