#include "flylocal/cli/dns_log.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

using flylocal::cli::dns_log_text;
namespace json = boost::json;

namespace {

json::object question() {
  return {{"number", 7},          {"timestamp", 1795372472025}, {"app", "web"},      {"machine", "3d8d413b29d089"},
          {"client", "fdaa::1"},  {"network", "personal/default"}, {"transport", "udp"}, {"name", "db.internal"},
          {"type", "AAAA"},       {"rcode", "NOERROR"},            {"answers", json::array{"fdaa:0:18::2", "fdaa:0:18::3"}},
          {"cut", false},         {"truncated", false},            {"origin", "zone"},   {"took_ms", 0.123}};
}

/// The line behind its time.
std::string line(json::object with) {
  json::object one = question();
  for (const auto& member : with) one[member.key()] = member.value();
  return dns_log_text(one).substr(sizeof "12:00:00.000");
}

}  // namespace

TEST_CASE("a question is a line: who, what, which answer, from where, how long") {
  CHECK(line({}) == "web[3d8d413b29d089] AAAA db.internal -> fdaa:0:18::2, fdaa:0:18::3 (zone, 0.1 ms)");
  CHECK(dns_log_text(question()).substr(3, 9).find(".025") != std::string::npos);
}

TEST_CASE("answers without records say what is missing") {
  const json::array none;
  CHECK(line({{"answers", none}, {"rcode", "NXDOMAIN"}}) == "web[3d8d413b29d089] AAAA db.internal -> NXDOMAIN (zone, 0.1 ms)");
  CHECK(line({{"answers", none}, {"type", "A"}}) == "web[3d8d413b29d089] A db.internal -> no A record (zone, 0.1 ms)");
  CHECK(line({{"answers", none}, {"rcode", "SERVFAIL"}, {"origin", "none"}, {"took_ms", 4500.4}}) == "web[3d8d413b29d089] AAAA db.internal -> SERVFAIL (4500 ms)");
}

TEST_CASE("answers that are not whole say so") {
  CHECK(line({{"cut", true}, {"origin", "cache"}, {"took_ms", 0.004}}) == "web[3d8d413b29d089] AAAA db.internal -> fdaa:0:18::2, fdaa:0:18::3, ... (cache, 0.004 ms)");
  CHECK(line({{"truncated", true}}).find("(truncated, to be asked over TCP)") != std::string::npos);
}

TEST_CASE("who asks without being a machine") {
  CHECK(line({{"app", "flylocal"}, {"machine", ""}, {"transport", "tcp"}}).starts_with("flylocal AAAA db.internal -> "));
  CHECK(line({{"transport", "tcp"}}).ends_with("(zone, 0.1 ms, tcp)"));
  CHECK(line({{"app", ""}, {"machine", ""}}).starts_with("fdaa::1 AAAA "));
}
