#include "flylocal/config/durations.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace flylocal::config;
using namespace std::chrono_literals;

TEST_CASE("durations are read in Go's notation") {
  struct Case {
    std::string_view text;
    Duration expected;
  };
  const Case cases[] = {{"0", 0s},
                        {"5s", 5s},
                        {"+5s", 5s},
                        {"-5s", -5s},
                        {"1m30s", 90s},
                        {"1.5h", 90min},
                        {".5s", 500ms},
                        {"1.s", 1s},
                        {"500ms", 500ms},
                        {"0.1s", 100ms},
                        {"0.3ms", 300us},
                        {"100us", 100us},
                        {"100\xc2\xb5s", 100us},
                        {"100\xce\xbcs", 100us},
                        {"7ns", 7ns},
                        {"1h0m0s", 1h},
                        {"3ms3ms", 6ms},
                        {"0.000000000000000000001h", 0s},
                        {"9223372036854775807ns", Duration(std::numeric_limits<std::int64_t>::max())}};
  for (const Case& c : cases) {
    INFO(c.text);
    const auto parsed = parse_go_duration(c.text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == c.expected);
  }
}

TEST_CASE("what is not a duration is an error that says why") {
  struct Case {
    std::string_view text;
    std::string_view says;
  };
  const Case cases[] = {{"", "a number and a unit"},
                        {"-", "a number and a unit"},
                        {"5", "no unit"},
                        {"s", "a number before each unit"},
                        {".s", "a number before each unit"},
                        {"5 s", "unknown unit \" s\""},
                        {"5d", "unknown unit \"d\""},
                        {"1m30", "no unit"},
                        {"1..5s", "no unit"},
                        {"9223372036854775808ns", "longer than 292 years"},
                        {"9999999999999999999999h", "longer than 292 years"},
                        {"2562048h", "longer than 292 years"},
                        {"2562047h60m", "longer than 292 years"}};
  for (const Case& c : cases) {
    INFO(c.text);
    const auto parsed = parse_go_duration(c.text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().message.find(c.says) != std::string::npos);
  }
}

TEST_CASE("durations are written as Go prints them, and read back the same") {
  struct Case {
    Duration duration;
    std::string_view text;
  };
  const Case cases[] = {{0s, "0s"},
                        {1ns, "1ns"},
                        {1500ns, "1.5\xc2\xb5s"},
                        {500ms, "500ms"},
                        {1500us, "1.5ms"},
                        {1s, "1s"},
                        {1500ms, "1.5s"},
                        {90s, "1m30s"},
                        {1h, "1h0m0s"},
                        {3661s, "1h1m1s"},
                        {-90s, "-1m30s"},
                        {60s + 1ns, "1m0.000000001s"},
                        {Duration::max(), "2562047h47m16.854775807s"}};
  for (const Case& c : cases) {
    CHECK(format_go_duration(c.duration) == c.text);
    CHECK(*parse_go_duration(c.text) == c.duration);
  }
  CHECK(format_go_duration(Duration::min()) == "-2562047h47m16.854775808s");
}
