#include "flylocal/report/explanation.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "flylocal/report/proxy_code_explanation.hpp"

using namespace flylocal::report;

TEST_CASE("each explanation is found by its code, and says what was seen and what Fly.io does") {
  std::set<std::string_view> codes;
  for (const Explanation& one : explanations()) {
    INFO(one.code);
    CHECK(codes.insert(one.code).second);
    CHECK(explain(one.code) == &one);
    CHECK_FALSE(one.title.ends_with('.'));
    CHECK(one.found.ends_with('.'));
    CHECK(one.on_fly.ends_with('.'));
    CHECK((one.fix.empty() || one.fix.ends_with('.')));
  }
  CHECK(codes.size() > 10);
}

TEST_CASE("an explanation's texts are plain words with one space between them") {
  for (const Explanation& one : explanations())
    for (std::string_view text : {one.code, one.title, one.found, one.on_fly, one.fix}) {
      INFO(one.code << ": " << text);
      CHECK(text.find("  ") == text.npos);
      CHECK_FALSE(text.starts_with(' '));
      // `flylocal explain` breaks lines between words only.
      CHECK(text.find_first_of("\n\t") == text.npos);
    }
}

TEST_CASE("a problem comes with its fix, and good news need none") {
  for (const Explanation& one : explanations()) {
    INFO(one.code);
    CHECK(one.fix.empty() == (one.code == "ok" || one.code == "running"));
  }
}

TEST_CASE("the proxy's codes are explained as verdicts are, in capitals or not") {
  for (const Explanation& one : proxy_code_explanations()) {
    INFO(one.code);
    CHECK(explain_proxy_code(one.code) == &one);
    CHECK_FALSE(explain(one.code));
    CHECK_FALSE(one.title.ends_with('.'));
    for (std::string_view text : {one.found, one.on_fly, one.fix}) {
      CHECK(text.ends_with('.'));
      CHECK(text.find("  ") == text.npos);
      CHECK(text.find_first_of("\n\t") == text.npos);
    }
  }
  REQUIRE(explain_proxy_code("pr03"));
  CHECK(explain_proxy_code("pr03")->code == "PR03");
  CHECK_FALSE(explain_proxy_code("PR0"));
  CHECK_FALSE(explain_proxy_code("PR033"));
}

TEST_CASE("a code that no verdict has is not explained") {
  CHECK_FALSE(explain("loopback"));
  CHECK_FALSE(explain(""));
}
