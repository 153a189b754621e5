#include "flylocal/base/utf8.hpp"

#include <catch2/catch.hpp>

using flylocal::to_valid_utf8;

TEST_CASE("well-formed text stays as it is") {
  for (const char* text : {"", "plain", "ü", "€", "\xf0\x9f\x9a\x80 rocket"}) CHECK(to_valid_utf8(text) == text);
}

TEST_CASE("what is not UTF-8 becomes U+FFFD, octet by octet (RFC 3629 4)") {
  const std::string replacement = "\xef\xbf\xbd";
  CHECK(to_valid_utf8("a\xff\xfe" "b") == "a" + replacement + replacement + "b");
  CHECK(to_valid_utf8("\xc0\xaf") == replacement + replacement);                    // overlong
  CHECK(to_valid_utf8("\xed\xa0\x80") == replacement + replacement + replacement);  // a surrogate
  CHECK(to_valid_utf8("\xe2\x82") == replacement + replacement);                    // cut off
  CHECK(to_valid_utf8("\xf5\x80\x80\x80").size() == 4 * replacement.size());        // beyond U+10FFFF
}
