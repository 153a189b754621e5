#include "flylocal/launch/variable_expansion.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace flylocal::launch;

namespace {

const std::map<std::string, std::string, std::less<>> kVariables = {
    {"x", "one"}, {"y", "two words"}, {"empty", ""}};

std::optional<std::string> look_up(std::string_view name) {
  const auto found = kVariables.find(name);
  if (found == kVariables.end()) return std::nullopt;
  return found->second;
}

}  // namespace

TEST_CASE("variables are replaced as in a Dockerfile") {
  struct Case {
    std::string word, value;
  };
  const Case cases[] = {
      {"plain", "plain"},
      {"$x", "one"},
      {"${x}", "one"},
      {"a${x}b$x-c",
       "aoneb"
       "one-c"},
      {"$unset|${unset}", "|"},
      {"$", "$"},
      {"a$ b", "a$ b"},
      {"$1x", "x"},
      {"${unset:-d}", "d"},
      {"${empty:-d}", "d"},
      {"${empty-d}", ""},
      {"${unset-d}", "d"},
      {"${x:-d}", "one"},
      {"${x:+d}", "d"},
      {"${empty:+d}", ""},
      {"${empty+d}", "d"},
      {"${unset+d}", ""},
      {"${unset:-${x}/${unset:-z}}", "one/z"},
      {"${x?needed}", "one"},
      {R"('$x')", "$x"},
      {R"("$x y")", "one y"},
      {R"(\$x)", "$x"},
      {R"("\$x \a \"")", R"($x \a ")"},
      {R"(a' 'b" "c)", "a b c"},
      {R"(a\ b)", "a b"},
      {"$y", "two words"},
  };
  for (const Case& each : cases) {
    INFO(each.word);
    const auto value = expand_variables(each.word, '\\', look_up);
    REQUIRE(value.has_value());
    CHECK(*value == each.value);
  }
  CHECK(expand_variables(R"(c:\$x`$x)", '`', look_up).value() == R"(c:\one$x)");
}

TEST_CASE("a word that cannot be expanded says why") {
  struct Case {
    std::string word, message;
  };
  const Case cases[] = {
      {"'a", "single quote"},
      {"\"a", "double quote"},
      {"${x", "not closed"},
      {"${x:-a", "not closed"},
      {"${}", "not followed by"},
      {"${", "not followed by"},
      {"${x#a}", "only :-"},
      {"${x:", "only :-"},
      {"${unset:?say it}", "variable unset is not set: say it"},
      {"${empty:?}", "variable empty is not set"},
  };
  for (const Case& each : cases) {
    INFO(each.word);
    const auto value = expand_variables(each.word, '\\', look_up);
    REQUIRE(value.has_error());
    CHECK_THAT(value.error().message, Catch::Contains(each.message));
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "${a:-";
  CHECK(expand_variables(deep, '\\', look_up).has_error());
}

TEST_CASE("blanks inside of quotes do not split a word") {
  using Words = std::vector<std::string>;
  CHECK(split_raw_words(R"( a  "b c"='d e' f\ g )", '\\') == Words{"a", R"("b c"='d e')", R"(f\ g)"});
  CHECK(split_raw_words(R"("a\" b" c)", '\\') == Words{R"("a\" b")", "c"});
  CHECK(split_raw_words("", '\\').empty());
}
