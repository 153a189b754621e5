#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "flylocal/config/closest_name.hpp"
#include "flylocal/config/problem.hpp"
#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sizes.hpp"
#include "flylocal/config/toml_precheck.hpp"
#include "flylocal/config/toml_tree.hpp"

using namespace flylocal::config;

TEST_CASE("the closest name is the one a typo away, and none when nothing is near") {
  constexpr std::string_view kNames[] = {"internal_port", "protocol",     "ports",
                                         "processes",     "kill_timeout", "app"};
  CHECK(closest_name("internal_prot", kNames) == "internal_port");
  CHECK(closest_name("internalport", kNames) == "internal_port");
  CHECK(closest_name("PORTS", kNames) == "ports");
  CHECK(closest_name("port", kNames) == "ports");
  CHECK(closest_name("timeout", kNames) == "kill_timeout");
  CHECK(closest_name("ap", kNames) == "app");
  CHECK(closest_name("xyzzy", kNames).empty());
  CHECK(closest_name("", kNames).empty());
  CHECK(closest_name(std::string(10000, 'a'), kNames).empty());
}

TEST_CASE("the tree keeps the order and the places of the file") {
  const auto tree = parse_toml("b = 1\n[z]\na = \"\xc3\xa9\", \n");
  CHECK_FALSE(tree.has_value());
  const auto good = parse_toml("b = 1\n[z]\n  k = [1, 'x']\n[a]\n");
  REQUIRE(good.has_value());
  REQUIRE(good->size() == 3);
  CHECK((*good)[0].key == "b");
  CHECK((*good)[1].key == "z");
  CHECK((*good)[2].key == "a");
  const TomlEntry& k = (*(*good)[1].node.table())[0];
  CHECK(k.place == Place{3, 3});
  CHECK(k.node.place == Place{3, 7});
  CHECK((*k.node.array())[1].place == Place{3, 11});
}

TEST_CASE("columns count characters, not bytes") {
  const auto tree = parse_toml("a = [\"\xc3\xa9\xc3\xa9\", 5]");
  REQUIRE(tree.has_value());
  CHECK((*(*tree)[0].node.array())[1].place == Place{1, 12});
  const auto refusal = precheck_toml("# \xc3\xa9\na = " + std::string(33, '['));
  REQUIRE(refusal);
  CHECK(refusal->place == Place{2, 37});
}

TEST_CASE("control characters are refused wherever they stand, tabs and line ends are not") {
  struct Case {
    std::string text;
    Place place;
  };
  using namespace std::string_literals;
  const Case cases[] = {{"[a\0]"s, {1, 3}},
                        {"# \x01\n"s, {1, 3}},
                        {"a = \"\x1b\""s, {1, 6}},
                        {"a = '''\n\x7f'''"s, {2, 1}},
                        {"a = \"\\\0\""s, {1, 7}}};
  for (const Case& c : cases) {
    const auto refusal = precheck_toml(c.text);
    REQUIRE(refusal);
    CHECK(refusal->place == c.place);
  }
  CHECK_FALSE(precheck_toml("a\t= 1\r\n# \t\n"));
}

TEST_CASE("a header without a name and bare characters outside ASCII are refused with their place") {
  struct Case {
    std::string_view text;
    Place place;
  };
  const Case cases[] = {{"[", {1, 1}},
                        {"a = 1\n[\n", {2, 1}},
                        {"  [ =a]", {1, 3}},
                        {"[[.a]]", {1, 1}},
                        {"a = [\n1]\n[#", {3, 1}},
                        {"cl\xc3\xa9 = 1", {1, 3}},
                        {"a = 1\xe2\x80\xa8[", {1, 6}},
                        {"\xff\xfe" "a", {1, 1}}};
  for (const Case& c : cases) {
    INFO(c.text);
    const auto refusal = precheck_toml(c.text);
    REQUIRE(refusal);
    CHECK(refusal->place == c.place);
  }
  CHECK_FALSE(precheck_toml("\xef\xbb\xbf[a]\n[ 'b' ]\n[[c]]\nd = [\n[\n]]\n# \xc3\xa9\ne = '\xc3\xa9'\n"));
}

TEST_CASE("a quote that is not closed is told where it opens") {
  struct Case {
    std::string_view text;
    Place place;
  };
  const Case cases[] = {{"a = \"x\nb = 1\n", {1, 5}}, {"a = 1\nb = 'x", {2, 5}}, {"a = \"\"\"\nx\n\"\"", {1, 5}}, {"a = \"x\\\"\n", {1, 5}}};
  for (const Case& c : cases) {
    INFO(c.text);
    const auto refusal = precheck_toml(c.text);
    REQUIRE(refusal);
    CHECK(refusal->place == c.place);
    CHECK(refusal->message == "not valid TOML: the quote that opens here is not closed");
  }
}

TEST_CASE("what looks deep inside strings and comments is not, and what hides behind a string is seen") {
  const std::string dots(40, '.');
  const std::string deep = "{a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1}";
  CHECK_FALSE(precheck_toml("# " + dots));
  CHECK_FALSE(precheck_toml("a = \"\\\"" + dots + "\""));
  CHECK_FALSE(precheck_toml("a = '" + dots + "'"));
  CHECK_FALSE(precheck_toml("a = \"\"\"\n\"" + dots + "\n\"\"\"\""));
  CHECK(precheck_toml("a = [\"\", " + deep + "]"));
  CHECK(precheck_toml("a = ['''x'''', " + deep + "]"));
  CHECK(precheck_toml("a = [\"\"\"x\"\"\"\"\", " + deep + "]"));
}

TEST_CASE("values that JSON lacks become text") {
  const auto tree = parse_toml("a = nan\nb = -inf\nc = 07:32:00\nd = 1.5\ne = {f = [true]}");
  REQUIRE(tree.has_value());
  TomlNode document;
  document.value = *tree;
  CHECK(boost::json::serialize(to_json(document)) ==
        R"({"a":"nan","b":"-inf","c":"07:32:00","d":1.5E0,"e":{"f":[true]}})");
}

TEST_CASE("sizes are read with their units") {
  constexpr std::uint64_t kMebi = 1024 * 1024;
  CHECK(parse_size("512", SizeBase::kBinary, kMebi) == 512 * kMebi);
  CHECK(parse_size("512mb", SizeBase::kBinary, kMebi) == 512 * kMebi);
  CHECK(parse_size("1.5 GiB", SizeBase::kBinary, kMebi) == 1536 * kMebi);
  CHECK(parse_size("10gb", SizeBase::kDecimal, 1) == 10'000'000'000u);
  CHECK(parse_size("100b", SizeBase::kDecimal, 1) == 100u);
  for (const char* bad :
       {"", "gb", "-1gb", "1xb", "1gbb", "1..5g", "1.", ".5g", "1  g", "9999999999999999999999"}) {
    INFO(bad);
    CHECK_FALSE(parse_size(bad, SizeBase::kBinary, 1));
  }
}

TEST_CASE("a problem is rendered with what it has") {
  Problem problem;
  problem.file = "fly.toml";
  problem.message = "no such file";
  CHECK(render(problem) == "fly.toml: error: no such file");
  problem.severity = Problem::Severity::kWarning;
  problem.line = 3;
  problem.column = 4;
  problem.key = "a.b";
  problem.found = "5";
  problem.allowed = "text";
  problem.suggestion = "Write \"5\"";
  CHECK(render(problem) == "fly.toml:3:4: warning: a.b: no such file (found 5, allowed: text). Write \"5\"");
  CHECK(
      boost::json::serialize(to_json(problem)) ==
      R"({"severity":"warning","file":"fly.toml","line":3,"column":4,"key":"a.b","found":"5","allowed":"text",)"
      R"("message":"no such file","suggestion":"Write \"5\""})");
}

TEST_CASE("long text is cut between characters") {
  std::string text(59, 'a');
  text += "\xc3\xa9zzzzzz";
  CHECK(in_quotes(text) == "\"" + std::string(59, 'a') + "...\"");
  CHECK(in_quotes("a\nb") == "\"a\\nb\"");
}
