#include "flylocal/launch/secrets_file.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::launch;
using Words = std::vector<std::string>;
using Secrets = std::map<std::string, std::string>;

TEST_CASE("a secrets file is read in the dotenv form") {
  struct Case {
    std::string text;
    Secrets secrets;
  };
  const Case cases[] = {
      {"", {}},
      {"\n  # only a comment\n\n", {}},
      {"A=1\nB_2 = two words \nexport C=3\n", {{"A", "1"}, {"B_2", "two words"}, {"C", "3"}}},
      {"A=\nB=''\nC=\"\"", {{"A", ""}, {"B", ""}, {"C", ""}}},
      {"A=x # comment\nB=x#y\nC=#z\n", {{"A", "x"}, {"B", "x#y"}, {"C", ""}}},
      {"A='it $x \\n' # c\nB=\"a\\nb\\t\\\"\\\\\\$x\\q\"\n", {{"A", "it $x \\n"}, {"B", "a\nb\t\"\\$x\\q"}}},
      {"KEY=\"-----BEGIN\nline two\n-----END\"\nNEXT=1\n",
       {{"KEY", "-----BEGIN\nline two\n-----END"}, {"NEXT", "1"}}},
      {"A=1\r\nB='2'\r\n", {{"A", "1"}, {"B", "2"}}},
      {"\xef\xbb\xbf"
       "A=postgres://u:p@host/db?x=1&y=$z\n",
       {{"A", "postgres://u:p@host/db?x=1&y=$z"}}},
      {"exported=1\nexport=2\n", {{"exported", "1"}, {"export", "2"}}},
  };
  for (const Case& each : cases) {
    INFO(each.text);
    const SecretsReading reading = read_secrets(each.text, ".env");
    CHECK(render(reading.problems).empty());
    CHECK(reading.secrets == each.secrets);
  }
}

TEST_CASE("mistakes in a secrets file are named with their line, and no value is shown") {
  const SecretsReading reading = read_secrets(
      "OK=hunter2\n"
      "1X=hunter2\n"
      "NO_VALUE hunter2\n"
      "OK=hunter2\n"
      "Q='hunter2' hunter2\n"
      "AFTER=1\n"
      "OPEN=\"hunter2\n\n",
      ".env");
  Words lines;
  for (const FileProblem& problem : reading.problems) lines.push_back(render(problem));
  CHECK(
      lines ==
      Words{".env:2:1: expected NAME=VALUE; a name has letters, digits and _ and does not begin with a digit",
            ".env:3:10: expected '=' after the name: NAME=VALUE",
            ".env:4:1: OK is given a second time (first in line 1); keep one of them",
            ".env:5:13: expected the end of the line or a # comment after the closing quote",
            ".env:7:6: the quote is not closed before the end of the file"});
  CHECK(reading.secrets.empty());
  for (const std::string& line : lines) CHECK(line.find("hunter2") == std::string::npos);
}

TEST_CASE("a secrets file that is not there is a problem") {
  CHECK(render(load_secrets("/nonexistent/.env").problems) == "/nonexistent/.env: no such file");
}
