#include "flylocal/platform/identifiers.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace flylocal::platform;
using namespace std::chrono_literals;

namespace {

constexpr const char* kHex = "0123456789abcdef";
constexpr const char* kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool consists_of(const std::string& text, const char* alphabet) { return text.find_first_not_of(alphabet) == std::string::npos; }

}  // namespace

TEST_CASE("machine ids are 14 lower-case hexadecimal digits and do not repeat") {
  std::set<std::string> ids;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = new_machine_id();
    REQUIRE(id.size() == 14);
    REQUIRE(consists_of(id, kHex));
    ids.insert(id);
  }
  CHECK(ids.size() == 2000);
}

TEST_CASE("volume ids are vol_ and 16 lower-case letters or digits, and do not repeat") {
  std::set<std::string> ids;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = new_volume_id();
    REQUIRE(id.size() == 20);
    REQUIRE(id.starts_with("vol_"));
    REQUIRE(consists_of(id.substr(4), "0123456789abcdefghijklmnopqrstuvwxyz"));
    ids.insert(id);
  }
  CHECK(ids.size() == 2000);
}

TEST_CASE("a ULID begins with its time in milliseconds, in Crockford's base 32") {
  const std::string ulid = new_ulid(std::chrono::system_clock::time_point(1469918176385ms));
  CHECK(ulid.size() == 26);
  CHECK(ulid.substr(0, 10) == "01ARYZ6S41");
  CHECK(consists_of(ulid, kCrockford));
}

TEST_CASE("ULIDs sort by age and differ within one millisecond") {
  const std::chrono::system_clock::time_point start(1700000000000ms);
  std::string before = new_ulid(start);
  for (int i = 1; i < 1000; ++i) {
    const std::string next = new_ulid(start + std::chrono::milliseconds(i));
    REQUIRE(before < next);
    before = next;
  }
  std::set<std::string> same_time;
  for (int i = 0; i < 1000; ++i) same_time.insert(new_ulid(start));
  CHECK(same_time.size() == 1000);
}
