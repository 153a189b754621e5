#include "flylocal/platform/regions.hpp"

#include <catch2/catch.hpp>
#include <algorithm>

using namespace flylocal::platform;

using List = std::vector<std::string>;

TEST_CASE("the platform's eighteen regions are known, by code") {
  CHECK(regions().size() == 18);
  CHECK(std::is_sorted(regions().begin(), regions().end(), [](const Region& a, const Region& b) { return a.code < b.code; }));
}

TEST_CASE("distances are those of a globe") {
  struct Case {
    const char* from;
    const char* to;
    double km;  ///< between the cities, by maps
  };
  const Case cases[] = {
      {"lhr", "cdg", 344},  {"ams", "fra", 364},   {"iad", "ewr", 350},    {"sjc", "lax", 490},
      {"nrt", "syd", 7820}, {"gru", "jnb", 7430},  {"bom", "sin", 3910},
      {"sjc", "nrt", 8330},  // over the date line, not around the rest of the world
      {"syd", "lhr", 16990},
  };
  for (const Case& c : cases) {
    INFO(c.from << " to " << c.to);
    const auto there = distance_km(c.from, c.to);
    REQUIRE(there.has_value());
    CHECK(*there == Approx(c.km).epsilon(0.03));
    CHECK(*distance_km(c.to, c.from) == Approx(*there));
  }
  CHECK(distance_km("syd", "syd") == 0.0);
}

TEST_CASE("the place of a retired region is not known") {
  CHECK_FALSE(distance_km("sea", "sjc").has_value());
  CHECK_FALSE(distance_km("sjc", "sea").has_value());
  CHECK_FALSE(distance_km("", "sjc").has_value());
}

TEST_CASE("each region's list has all regions, itself in front and the farthest at the end") {
  const auto nearest = nearest_regions();
  REQUIRE(nearest.size() == regions().size());
  for (const auto& [from, list] : nearest) {
    INFO(from);
    CHECK(list.front() == from);
    REQUIRE(list.size() == regions().size());
    for (std::size_t i = 1; i < list.size(); ++i) CHECK(*distance_km(from, list[i - 1]) <= *distance_km(from, list[i]));
    List sorted = list;
    std::sort(sorted.begin(), sorted.end());
    CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
  }
  const auto first = [&](const char* from, std::size_t count) { return List(nearest.at(from).begin(), nearest.at(from).begin() + static_cast<std::ptrdiff_t>(count)); };
  CHECK(first("lhr", 4) == List{"lhr", "cdg", "ams", "fra"});
  CHECK(first("iad", 4) == List{"iad", "ewr", "yyz", "ord"});
  CHECK(first("nrt", 2) == List{"nrt", "sin"});
  CHECK(nearest.at("ams").back() == "syd");
}

TEST_CASE("regions that are not known come last, and are near to themselves") {
  const auto nearest = nearest_regions({"yul", "sea", "lhr"});
  REQUIRE(nearest.size() == 20);
  for (const auto& [from, list] : nearest) {
    INFO(from);
    REQUIRE(list.size() == 20);
    CHECK(list.front() == from);
  }
  const List& from_sjc = nearest.at("sjc");
  CHECK(List(from_sjc.end() - 2, from_sjc.end()) == List{"sea", "yul"});
  const List& from_sea = nearest.at("sea");
  CHECK(from_sea.back() == "yul");
  CHECK(List(from_sea.begin(), from_sea.begin() + 3) == List{"sea", "ams", "arn"});
}
