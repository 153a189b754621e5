#include "flylocal/report/report.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace flylocal::report;

namespace {

Report report_of(std::initializer_list<Severity> severities) {
  Report report;
  for (const Severity severity : severities) report.machines.emplace_back().results.emplace_back().severity = severity;
  return report;
}

}  // namespace

TEST_CASE("a report is good unless something is a problem or still pending") {
  CHECK(Report().is_good());
  CHECK(report_of({Severity::kOk, Severity::kNote, Severity::kWarning}).is_good());
  for (const Severity severity : {Severity::kPending, Severity::kProblem}) {
    CHECK_FALSE(report_of({severity}).is_good());
    CHECK_FALSE(report_of({Severity::kOk, severity, Severity::kOk}).is_good());
  }
}

TEST_CASE("no two values of an enumeration have the same name") {
  const std::set<std::string_view> paths{name(Path::kProxy), name(Path::k6pn),   name(Path::kPublished),
                                         name(Path::kUdp),   name(Path::kCheck), name(Path::kDns)};
  CHECK(paths == std::set<std::string_view>{"proxy", "6pn", "published", "udp", "check", "dns"});
  const std::set<std::string_view> reaches{name(Reach::kReachable), name(Reach::kRefused), name(Reach::kTimedOut), name(Reach::kUntried)};
  CHECK(reaches == std::set<std::string_view>{"reachable", "refused", "timed out", "untried"});
  const std::set<std::string_view> severities{name(Severity::kOk), name(Severity::kNote), name(Severity::kWarning), name(Severity::kPending),
                                              name(Severity::kProblem)};
  CHECK(severities == std::set<std::string_view>{"ok", "note", "warning", "pending", "problem"});
  CHECK(name(Listener::Protocol::kTcp) == "tcp");
  CHECK(name(Listener::Protocol::kUdp) == "udp");
}

TEST_CASE("an endpoint has its IPv6 address in brackets") {
  Listener listener;
  listener.port = 8080;
  for (const auto& [address, text] : {std::pair{"127.0.0.1", "127.0.0.1:8080"}, {"::", "[::]:8080"}, {"fdaa:0:1::2", "[fdaa:0:1::2]:8080"},
                                      {"::ffff:127.0.0.1", "[::ffff:127.0.0.1]:8080"}}) {
    listener.address = address;
    CHECK(endpoint(listener) == text);
  }
}
