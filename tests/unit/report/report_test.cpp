#include "flylocal/report/report.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

using namespace flylocal::report;

namespace {

Finding finding(Finding::Severity severity, Path proxy, Path six_pn) {
  Finding made;
  made.severity = severity;
  made.code = "loopback-only";
  made.app = "web";
  made.process_group = "app";
  made.machine = "3d8d413b29d089";
  made.region = "iad";
  made.port = 65535;
  made.proxy = proxy;
  made.six_pn = six_pn;
  made.sentence = "node listens on \"127.0.0.1\"\tonly";
  return made;
}

}  // namespace

TEST_CASE("a report is well only if all of its findings are: what is still pending at its end is a problem, too") {
  for (const auto severity : {Finding::Severity::kPending, Finding::Severity::kProblem}) {
    Report report;
    CHECK_FALSE(report.has_problems());
    report.findings.push_back(finding(Finding::Severity::kOk, Path::kReachable, Path::kReachable));
    CHECK_FALSE(report.has_problems());
    report.findings.push_back(finding(severity, Path::kRefused, Path::kRefused));
    report.findings.push_back(finding(Finding::Severity::kOk, Path::kReachable, Path::kReachable));
    CHECK(report.has_problems());
  }
}

TEST_CASE("a report comes back from its JSON as it was") {
  Report report;
  for (const auto severity : {Finding::Severity::kOk, Finding::Severity::kPending, Finding::Severity::kProblem})
    for (const Path proxy : {Path::kReachable, Path::kRefused, Path::kTimedOut, Path::kUntried})
      report.findings.push_back(finding(severity, proxy, Path::kRefused));
  const Report again = from_json(boost::json::parse(boost::json::serialize(to_json(report))));
  REQUIRE(again.findings.size() == report.findings.size());
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const Finding &sent = report.findings[i], &received = again.findings[i];
    CHECK(received.severity == sent.severity);
    CHECK(received.code == sent.code);
    CHECK(received.app == sent.app);
    CHECK(received.process_group == sent.process_group);
    CHECK(received.machine == sent.machine);
    CHECK(received.region == sent.region);
    CHECK(received.port == sent.port);
    CHECK(received.proxy == sent.proxy);
    CHECK(received.six_pn == sent.six_pn);
    CHECK(received.sentence == sent.sentence);
  }
}

TEST_CASE("words of a newer report count as untried and pending") {
  const Report report = from_json(boost::json::parse(
      R"({"findings": [{"severity": "terrible", "code": "new", "port": 80, "fly_proxy": "slow", "six_pn": 3, "more": true}]})"));
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].severity == Finding::Severity::kPending);
  CHECK(report.findings[0].proxy == Path::kUntried);
  CHECK(report.findings[0].six_pn == Path::kUntried);
  CHECK(report.findings[0].code == "new");
  CHECK(report.findings[0].port == 80);
  CHECK(report.findings[0].app.empty());
}
