#include "flylocal/cli/output.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>
#include <sstream>

using namespace flylocal::cli;

namespace {

// Whether there are colours is decided once; the tests are about text without them, on a terminal, too.
const int kWithoutColours = ::setenv("NO_COLOR", "1", 1);

}  // namespace

TEST_CASE("what a program prints cannot steer the terminal") {
  struct Case {
    const char* name;
    std::string text;
    std::string printable;
  };
  const Case cases[] = {
      {"nothing", "", ""},
      {"plain text", "GET / 200 in 3 ms", "GET / 200 in 3 ms"},
      {"tabs stay", "a\tb", "a\tb"},
      {"UTF-8 stays", "gr\xc3\xbc\xc3\x9f dich \xe2\x9c\x93 \xf0\x9f\x9a\x80", "gr\xc3\xbc\xc3\x9f dich \xe2\x9c\x93 \xf0\x9f\x9a\x80"},
      {"control characters go", std::string("a\0b\a\b\v\f\rc\x7f", 10), "abc"},
      {"colours go without a terminal", "\x1b[31mred\x1b[0m and \x1b[1;38;5;208morange\x1b[m", "red and orange"},
      {"clear screen", "\x1b[2J\x1b[Hhello", "hello"},
      {"cursor movement", "\x1b[10;20Hhello\x1b[3A", "hello"},
      {"private modes", "\x1b[?25lhello\x1b[?1049h", "hello"},
      {"CSI with intermediate octets", "\x1b[2 qhello", "hello"},
      {"window title, ended by BEL", "\x1b]0;owned\ahello", "hello"},
      {"window title, ended by ST", "\x1b]0;owned\x1b\\hello", "hello"},
      {"CSI as one C1 character in UTF-8", "\xc2\x9b" "31mred", "31mred"},
      {"unfinished sequence", "hello\x1b[", "hello"},
      {"unfinished sequence with numbers", "hello\x1b[12;", "hello"},
      {"escape at the end", "hello\x1b", "hello"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(printable(c.text) == c.printable);
  }
}

TEST_CASE("no octets at all bring a control character out") {
  std::string everything;
  for (int i = 0; i < 256; ++i)
    for (int j = 0; j < 256; ++j) everything += {static_cast<char>(i), static_cast<char>(j)};
  for (const char c : printable(everything)) {
    const auto octet = static_cast<unsigned char>(c);
    REQUIRE((octet == '\t' || (octet >= 0x20 && octet != 0x7f)));
  }
}

TEST_CASE("a table's columns begin below their headings, and its lines have no blanks at the end") {
  CHECK(table({{"NAME", "STATE", "REGION"}, {"web", "started", "iad"}, {"a-longer-name", "stopped", "lhr"}}) ==
        "NAME           STATE    REGION\n"
        "web            started  iad\n"
        "a-longer-name  stopped  lhr\n");
  CHECK(table({{"ONE"}, {"x"}}) == "ONE\nx\n");
  CHECK(table({}).empty());
}

TEST_CASE("a table takes rows of different lengths and cells of several octets a character") {
  CHECK(table({{"A", "B", "C"}, {"1"}, {"22", "3"}}) == "A   B  C\n1\n22  3\n");
  // Characters count, not octets: each line's second cell begins at the same character.
  std::istringstream lines(table({{"NAME", "X"}, {"\xc3\xbc\xc3\xbc\xc3\xbc", "1"}, {"abc", "2"}}));
  std::set<std::ptrdiff_t> columns;
  for (std::string line; std::getline(lines, line);)
    columns.insert(std::count_if(line.begin(), line.end() - 1, [](char c) { return (c & 0xc0) != 0x80; }));
  CHECK(columns.size() == 1);
}

TEST_CASE("without colours paint() leaves the text alone") {
  REQUIRE(kWithoutColours == 0);
  REQUIRE_FALSE(colours_enabled());
  for (const Colour colour : {Colour::kNone, Colour::kRed, Colour::kDim, Colour::kBold}) CHECK(paint(colour, "text") == "text");
}

TEST_CASE("a machine keeps its colour, and machines do not all have the same") {
  CHECK(colour_of("3d8d413b29d089") == colour_of("3d8d413b29d089"));
  std::set<Colour> colours;
  for (int i = 0; i < 100; ++i) colours.insert(colour_of("machine-" + std::to_string(i)));
  CHECK(colours.size() > 1);
  // Red is for errors.
  CHECK(colours.count(Colour::kRed) == 0);
}
