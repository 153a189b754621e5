#include "flylocal/launch/dockerfile_instructions.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::launch;

namespace {

std::vector<std::string> listed(const InstructionList& list) {
  std::vector<std::string> lines;
  for (const Instruction& each : list.instructions) {
    lines.push_back(std::to_string(each.line) + " " + each.keyword + " " + each.rest);
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("lines are joined, and comments between them are left out") {
  const auto list = split_instructions(
      "\xef\xbb\xbf# a comment\r\n"
      "from a\r\n"
      "\n"
      "RUN one \\\n"
      "  # a comment inside\n"
      "\n"
      "    two \\  \n"
      "  three\n"
      "   CMD x # no comment here\n"
      "RUN a \\\\\n"
      "USER u \\",
      "Dockerfile");
  CHECK(list.problems.empty());
  CHECK(listed(list) == Lines{"2 FROM a", "4 RUN one     two   three", "9 CMD x # no comment here",
                              "10 RUN a \\\\", "11 USER u"});
}

TEST_CASE("the escape directive counts only at the top") {
  const auto list =
      split_instructions("# syntax=docker/dockerfile:1\n# ESCAPE = `\nFROM a\nRUN x `\n y\\\nUSER u\n", "D");
  CHECK(list.escape == '`');
  CHECK(listed(list) == Lines{"3 FROM a", "4 RUN x  y\\", "6 USER u"});
  CHECK(split_instructions("# hello\n# escape=`\nFROM a\n", "D").escape == '\\');
  const auto wrong = split_instructions("# escape=x\nFROM a\n", "D");
  REQUIRE(wrong.problems.size() == 1);
  CHECK(render(wrong.problems[0]) == "D:1: escape=x: allowed are \\ and `");
}

TEST_CASE("heredocs are skipped, whatever they contain") {
  const auto list = split_instructions(
      "FROM a\n"
      "RUN <<EOF\n"
      "FROM not an instruction\n"
      " EOF\n"
      "EOF\n"
      "COPY <<-\"one\" <<two /dir/\n"
      "CMD nothing\n"
      "\tone\n"
      "# kept \\\n"
      "two\n"
      "RUN cat <<<word && echo $((1<<2))\n"
      "RUN 3<<x cat\n"
      "x\n"
      "CMD <<EOF\n",
      "D");
  CHECK(list.problems.empty());
  CHECK(listed(list) == Lines{"1 FROM a", "2 RUN <<EOF", "6 COPY <<-\"one\" <<two /dir/",
                              "11 RUN cat <<<word && echo $((1<<2))", "12 RUN 3<<x cat", "14 CMD <<EOF"});
  CHECK(list.instructions[2].heredocs == 2);
  const auto open = split_instructions("FROM a\nRUN <<EOF\nx\n", "D");
  REQUIRE(open.problems.size() == 1);
  CHECK(render(open.problems[0]) == "D:2: the heredoc <<EOF has no line EOF that ends it");
}

TEST_CASE("flags are taken off the front") {
  const auto list = split_instructions(
      "COPY --from=build --chown=1:1 --link a b --not-a-flag\nFROM --platform=$P x\n", "D");
  REQUIRE(list.instructions.size() == 2);
  const auto& flags = list.instructions[0].flags;
  REQUIRE(flags.size() == 3);
  CHECK((flags[0].name == "from" && flags[0].value == "build"));
  CHECK((flags[2].name == "link" && flags[2].value.empty()));
  CHECK(list.instructions[0].rest == "a b --not-a-flag");
  CHECK(list.instructions[1].rest == "x");
}

TEST_CASE("an instruction that Docker does not know is a problem with a suggestion") {
  const auto list = split_instructions("FROM a\nENTRIPOINT x\nBANANA\nCMD\n", "D");
  REQUIRE(list.problems.size() == 3);
  CHECK(render(list.problems[0]) == "D:2: unknown instruction ENTRIPOINT; did you mean ENTRYPOINT?");
  CHECK(render(list.problems[1]) == "D:3: unknown instruction BANANA");
  CHECK(render(list.problems[2]) == "D:4: CMD has no argument");
}
