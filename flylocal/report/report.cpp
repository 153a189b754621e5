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

}  // namespace flylocal::report
