#include "flylocal/report/report.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace flylocal::report {

std::string_view name(Path path) {
  switch (path) {
    case Path::kReachable: return "reachable";
    case Path::kRefused: return "refused";
    case Path::kTimedOut: return "timed out";
    case Path::kUntried: return "untried";
  }
  return "";
}

std::string_view name(Finding::Severity severity) {
  switch (severity) {
    case Finding::Severity::kOk: return "ok";
    case Finding::Severity::kPending: return "pending";
    case Finding::Severity::kProblem: return "problem";
  }
  return "";
}

bool Report::has_problems() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity != Finding::Severity::kOk; });
}

boost::json::value to_json(const Report& report) {
  boost::json::array findings;
  for (const Finding& f : report.findings)
    findings.push_back({{"severity", name(f.severity)},
                        {"code", f.code},
                        {"app", f.app},
                        {"process_group", f.process_group},
                        {"machine", f.machine},
                        {"region", f.region},
                        {"port", f.port},
                        {"fly_proxy", name(f.proxy)},
                        {"six_pn", name(f.six_pn)},
                        {"sentence", f.sentence}});
  return {{"ok", !report.has_problems()}, {"findings", std::move(findings)}};
}

Report from_json(const boost::json::value& value) {
  auto text = [](const boost::json::object& object, const char* key) {
    const boost::json::value* member = object.if_contains(key);
    return member && member->is_string() ? std::string(member->get_string()) : std::string();
  };
  auto path = [](std::string_view word) {
    for (Path one : {Path::kReachable, Path::kRefused, Path::kTimedOut})
      if (word == name(one)) return one;
    return Path::kUntried;
  };
  Report report;
  for (const boost::json::value& one : value.at("findings").as_array()) {
    const boost::json::object& object = one.as_object();
    Finding& finding = report.findings.emplace_back();
    for (auto severity : {Finding::Severity::kOk, Finding::Severity::kProblem})
      if (text(object, "severity") == name(severity)) finding.severity = severity;
    finding.code = text(object, "code");
    finding.app = text(object, "app");
    finding.process_group = text(object, "process_group");
    finding.machine = text(object, "machine");
    finding.region = text(object, "region");
    finding.port = static_cast<std::uint16_t>(object.at("port").to_number<int>());
    finding.proxy = path(text(object, "fly_proxy"));
    finding.six_pn = path(text(object, "six_pn"));
    finding.sentence = text(object, "sentence");
  }
  return report;
}

}  // namespace flylocal::report
