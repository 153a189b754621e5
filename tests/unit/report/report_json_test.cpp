#include "flylocal/report/report_json.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>

using namespace flylocal::report;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

/// Every control character, quotes, and characters of one to four octets.
std::string difficult_text() {
  std::string text = "gr\xc3\xbc\xc3\x9f \xe2\x9c\x93 \xf0\x9f\x9a\x80 \"\\/ \x7f\xc2\x9b";
  for (char c = 0; c < 0x20; ++c) text += c;
  return text;
}

/// One with a value of its own in every member.
Report full_report() {
  Report report;
  MachineReport& machine = report.machines.emplace_back();
  machine.app = "web";
  machine.process_group = "app";
  machine.machine = "3d8d413b29d089";
  machine.region = "iad";
  machine.state = "started";
  machine.program = "Node.js";
  machine.listened_after = 310ms;
  machine.grace_period = 10s;
  machine.listeners.push_back({Listener::Protocol::kTcp, "127.0.0.1", 65535, false, 3, std::numeric_limits<std::uint32_t>::max(), 12, "node",
                               difficult_text()});
  machine.listeners.push_back({Listener::Protocol::kUdp, "::", 53, true, 0, 0, 0, "", ""});
  for (const Path path : {Path::kProxy, Path::k6pn, Path::kPublished, Path::kUdp, Path::kCheck, Path::kDns})
    for (const Reach reach : {Reach::kReachable, Reach::kRefused, Reach::kTimedOut, Reach::kUntried})
      for (const Severity severity : {Severity::kOk, Severity::kNote, Severity::kWarning, Severity::kPending, Severity::kProblem})
        machine.results.push_back({path, 8080, "172.19.0.2:8080", severity == Severity::kOk, reach, severity, "loopback-only",
                                   difficult_text(), {"one line", "", difficult_text()}, "first\nsecond"});
  report.machines.emplace_back();
  return report;
}

json::value sent(const Report& report) { return json::parse(json::serialize(to_json(report))); }

/// The message of the Error that a changed report leads to.
std::string error_of(const std::function<void(json::value&)>& change) {
  json::value value = sent(full_report());
  change(value);
  const auto report = from_json(value);
  return report ? "" : report.error().message;
}

}  // namespace

TEST_CASE("a report comes back from its JSON as it was") {
  const Report report = full_report();
  const auto again = from_json(sent(report));
  REQUIRE(again.has_value());
  REQUIRE(again->machines.size() == report.machines.size());
  for (std::size_t m = 0; m < report.machines.size(); ++m) {
    const MachineReport &before = report.machines[m], &after = again->machines[m];
    CHECK(after.app == before.app);
    CHECK(after.process_group == before.process_group);
    CHECK(after.machine == before.machine);
    CHECK(after.region == before.region);
    CHECK(after.state == before.state);
    CHECK(after.program == before.program);
    CHECK(after.listened_after == before.listened_after);
    CHECK(after.grace_period == before.grace_period);
    REQUIRE(after.listeners.size() == before.listeners.size());
    for (std::size_t i = 0; i < before.listeners.size(); ++i) {
      const Listener &was = before.listeners[i], &is = after.listeners[i];
      CHECK(is.protocol == was.protocol);
      CHECK(is.address == was.address);
      CHECK(is.port == was.port);
      CHECK(is.v6_only == was.v6_only);
      CHECK(is.queued == was.queued);
      CHECK(is.backlog == was.backlog);
      CHECK(is.pid == was.pid);
      CHECK(is.process == was.process);
      CHECK(is.command == was.command);
    }
    REQUIRE(after.results.size() == before.results.size());
    for (std::size_t i = 0; i < before.results.size(); ++i) {
      const Result &was = before.results[i], &is = after.results[i];
      CHECK(is.path == was.path);
      CHECK(is.port == was.port);
      CHECK(is.target == was.target);
      CHECK(is.expected == was.expected);
      CHECK(is.reach == was.reach);
      CHECK(is.severity == was.severity);
      CHECK(is.code == was.code);
      CHECK(is.message == was.message);
      CHECK(is.evidence == was.evidence);
      CHECK(is.fix == was.fix);
    }
  }
  CHECK(sent(*again) == sent(report));
}

TEST_CASE("the JSON tells whether all is well, and what was reached, without a look at words") {
  Report report;
  CHECK(sent(report) == json::parse(R"({"schema": "flylocal.report/1", "ok": true, "machines": []})"));

  MachineReport& machine = report.machines.emplace_back();
  for (const Reach reach : {Reach::kReachable, Reach::kRefused, Reach::kTimedOut, Reach::kUntried}) {
    Result& result = machine.results.emplace_back();
    result.reach = reach;
    result.severity = Severity::kProblem;
  }
  const json::value value = sent(report);
  CHECK(value.at("ok") == json::value(false));
  const json::value& told = value.at("machines").at(0);
  CHECK(told.at("listened_after_ms").is_null());
  const json::array& results = told.at("results").as_array();
  CHECK(results[0].at("reachable") == json::value(true));
  CHECK(results[1].at("reachable") == json::value(false));
  CHECK(results[2].at("reachable") == json::value(false));
  CHECK(results[3].at("reachable").is_null());
}

TEST_CASE("what a program says in another encoding than UTF-8 leaves the JSON valid") {
  Report report = full_report();
  const std::string latin = "gr\xfc\xdf";
  MachineReport& machine = report.machines[0];
  machine.listeners[0].process = machine.listeners[0].command = latin;
  machine.results[0].message = machine.results[0].fix = machine.results[0].target = latin;
  machine.results[0].evidence = {"ends in the middle of a character: \xe2\x9c"};
  const auto again = from_json(sent(report));
  REQUIRE(again.has_value());
  CHECK(again->machines[0].listeners[0].command == "gr\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(again->machines[0].results[0].message == "gr\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(again->machines[0].results[0].evidence[0] == "ends in the middle of a character: \xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("the Error names the key that no report has so") {
  struct Case {
    const char* name;
    const char* key;  ///< that the message has
    std::function<void(json::value&)> change;
  };
  auto machine = [](json::value& report) -> json::object& { return report.at("machines").at(0).as_object(); };
  auto result = [=](json::value& report) -> json::object& { return machine(report).at("results").at(2).as_object(); };
  auto listener = [=](json::value& report) -> json::object& { return machine(report).at("listeners").at(1).as_object(); };
  const Case cases[] = {
      {"no object at all", "object", [](json::value& report) { report = json::array{1, 2}; }},
      {"no schema", "schema is missing", [](json::value& report) { report.as_object().erase("schema"); }},
      {"another schema", "schema is \"flylocal.report/2\"", [](json::value& report) { report.as_object()["schema"] = "flylocal.report/2"; }},
      {"no machines", "machines is missing", [](json::value& report) { report.as_object().erase("machines"); }},
      {"machines that are no array", "machines must be an array", [](json::value& report) { report.as_object()["machines"] = "none"; }},
      {"a machine that is no object", "machines[0] must be an object", [](json::value& report) { report.at("machines").as_array()[0] = 7; }},
      {"a text that is a number", "machines[0].app", [&](json::value& report) { machine(report)["app"] = 7; }},
      {"a text that is missing", "machines[0].region is missing", [&](json::value& report) { machine(report).erase("region"); }},
      {"a duration in words", "machines[0].listened_after_ms", [&](json::value& report) { machine(report)["listened_after_ms"] = "1s"; }},
      {"a part of a millisecond", "machines[0].grace_period_ms", [&](json::value& report) { machine(report)["grace_period_ms"] = 0.5; }},
      {"a grace period of null", "machines[0].grace_period_ms", [&](json::value& report) { machine(report)["grace_period_ms"] = nullptr; }},
      {"a path of a later version", "machines[0].results[2].path", [&](json::value& report) { result(report)["path"] = "pigeon"; }},
      {"an unknown reach", "machines[0].results[2].reach", [&](json::value& report) { result(report)["reach"] = "slow"; }},
      {"an unknown severity", "machines[0].results[2].severity", [&](json::value& report) { result(report)["severity"] = ""; }},
      {"an unknown protocol", "machines[0].listeners[1].protocol", [&](json::value& report) { listener(report)["protocol"] = "sctp"; }},
      {"a port too large", "machines[0].results[2].port", [&](json::value& report) { result(report)["port"] = 65536; }},
      {"a port below 0", "machines[0].listeners[1].port", [&](json::value& report) { listener(report)["port"] = -1; }},
      {"a backlog too large", "machines[0].listeners[1].backlog", [&](json::value& report) { listener(report)["backlog"] = 4294967296; }},
      {"a flag in words", "machines[0].results[2].expected", [&](json::value& report) { result(report)["expected"] = "yes"; }},
      {"evidence that is no array", "machines[0].results[2].evidence", [&](json::value& report) { result(report)["evidence"] = "line"; }},
      {"evidence of numbers", "machines[0].results[2].evidence[1]",
       [&](json::value& report) { result(report)["evidence"] = json::array{"a", 1}; }},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK_THAT(error_of(c.change), Catch::Contains(c.key));
  }
}

TEST_CASE("the first wrong key is the one that is named") {
  CHECK_THAT(error_of([](json::value& report) {
               report.at("machines").at(0).as_object()["app"] = 1;
               report.at("machines").at(0).at("results").at(0).as_object()["port"] = "x";
             }),
             Catch::Contains("machines[0].app") && !Catch::Contains("results"));
}

TEST_CASE("keys of a later version, and what follows from the others, do not matter") {
  CHECK(error_of([](json::value& report) {
          report.as_object()["later"] = 1;
          report.as_object().erase("ok");
          report.at("machines").at(0).at("results").at(0).as_object()["later"] = json::object();
          report.at("machines").at(0).at("results").at(0).as_object().erase("reachable");
        }).empty());
}
