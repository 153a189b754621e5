#include "flylocal/launch/shell_words.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::launch;
using Words = std::vector<std::string>;

TEST_CASE("a command line is split as flyctl does") {
  struct Case {
    std::string line;
    Words words;
  };
  const Case cases[] = {
      {"", {}},
      {"  \t\r\n ", {}},
      {"node server.js", {"node", "server.js"}},
      {"  a \t b\nc  ", {"a", "b", "c"}},
      {R"(sh -c 'echo "$HOME" && exec app')", {"sh", "-c", R"(echo "$HOME" && exec app)"}},
      {R"(a "b c" d'e f'g)", {"a", "b c", "de fg"}},
      {R"(a "" '')", {"a", "", ""}},
      {R"(a\ b c\\d \"e)", {"a b", R"(c\d)", "\"e"}},
      {R"("a\"b\\c\nd")", {R"(a"b\cnd)"}},
      {R"('a\b')", {R"(a\b)"}},
      {"a # comment ' is not read\nb#c", {"a", "b#c"}},
      {"bin/x *.txt $HOME ~ a&&b", {"bin/x", "*.txt", "$HOME", "~", "a&&b"}},
      {"caf\xc3\xa9 \xe2\x9c\x93", {"caf\xc3\xa9", "\xe2\x9c\x93"}},
  };
  for (const Case& each : cases) {
    INFO(each.line);
    const auto words = split_shell_words(each.line);
    REQUIRE(words.has_value());
    CHECK(*words == each.words);
  }
}

TEST_CASE("a command line that does not end says where it went wrong") {
  struct Case {
    std::string line;
    std::string message;
  };
  const Case cases[] = {
      {"sh -c 'echo", "single quote at column 7 is not closed"},
      {"\"", "double quote at column 1 is not closed"},
      {"a \"b\\", "double quote at column 3 is not closed"},
      {"a b\\", "backslash at column 4 has no character after it"},
      {"a \"b\" 'c\" d", "single quote at column 7 is not closed"},
  };
  for (const Case& each : cases) {
    INFO(each.line);
    const auto words = split_shell_words(each.line);
    REQUIRE(words.has_error());
    CHECK(words.error().message == each.message);
  }
}

TEST_CASE("joined words split into the same words again") {
  const Words cases[] = {{"a"}, {"a b", "c"}, {"it's", "\"x\""}, {"", "$HOME", "a\\b", "#c", "a\nb"}};
  for (const Words& words : cases) {
    const std::string line = join_shell_words(words);
    INFO(line);
    CHECK(split_shell_words(line).value() == words);
  }
  CHECK(join_shell_words({"node", "--port=80", "a b"}) == "node --port=80 'a b'");
}
