#include "flylocal/report/wording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace flylocal::report {
namespace {

void add_once(std::vector<std::string>& lines, const std::string& line) {
  if (!line.empty() && std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
}

const Result* worst_result(const Report& report) {
  const Result* worst = nullptr;
  for (const MachineReport& machine : report.machines)
    for (const Result& result : machine.results)
      if (!worst || result.severity > worst->severity) worst = &result;
  return worst;
}

}  // namespace

std::vector<ResultGroup> groups(const MachineReport& machine) {
  std::vector<ResultGroup> all;
  for (const Result& result : machine.results) {
    auto same = std::find_if(all.begin(), all.end(), [&](const ResultGroup& group) {
      const Result& first = group.first();
      return result.severity != Severity::kOk && first.severity != Severity::kOk && first.port == result.port && first.code == result.code &&
             first.message == result.message;
    });
    ResultGroup& group = same == all.end() ? all.emplace_back() : *same;
    group.results.push_back(&result);
    group.severity = std::max(group.severity, result.severity);
    for (const std::string& line : result.evidence) add_once(group.evidence, line);
    add_once(group.fixes, result.fix);
  }
  return all;
}

std::string_view plain_name(Path path) {
  switch (path) {
    case Path::kProxy: return "Fly Proxy";
    case Path::k6pn: return "6PN";
    case Path::kPublished: return "published";
    case Path::kUdp: return "UDP";
    case Path::kCheck: return "check";
    case Path::kDns: return "DNS";
  }
  return "";
}

std::string outcome(const Result& result) {
  switch (result.reach) {
    case Reach::kUntried:
      if (result.severity == Severity::kPending) return "not yet";
      return result.path == Path::kDns ? "asked" : "not tried";
    case Reach::kReachable:
      if (result.path == Path::kDns) return "answered";
      // A check can get through and still fail, by the status of the answer.
      if (result.path == Path::kCheck) return result.severity == Severity::kProblem ? "fails" : "passes";
      return "reachable";
    case Reach::kRefused:
    case Reach::kTimedOut: break;
  }
  const std::string_view word = result.path == Path::kDns && result.reach == Reach::kTimedOut ? "no answer" : name(result.reach);
  return fmt::format("{}{}", word, result.expected ? "" : ", not required");
}

std::string attempt(const Result& result) {
  return fmt::format("{}{}{}: {}", plain_name(result.path), result.target.empty() ? "" : " ", result.target, outcome(result));
}

std::string place(const MachineReport& machine, const Result& result) {
  return result.port == 0 ? machine.app : fmt::format("{} port {}", machine.app, result.port);
}

std::string machine_name(const MachineReport& machine) {
  return fmt::format("machine {} ({}, {})", machine.machine, machine.process_group, machine.region);
}

std::string summary(const Report& report) {
  if (report.machines.empty()) return "no machines";
  struct Count {
    Severity severity;
    std::string_view one, many;
    int number = 0;
  };
  std::array counts{Count{Severity::kProblem, "problem", "problems"}, Count{Severity::kPending, "pending", "pending"},
                    Count{Severity::kWarning, "warning", "warnings"}, Count{Severity::kNote, "note", "notes"}};
  for (const MachineReport& machine : report.machines)
    for (const ResultGroup& group : groups(machine))
      for (Count& count : counts) count.number += count.severity == group.severity;
  std::vector<std::string> parts;
  if (report.is_good()) parts.push_back("no problems");
  for (const Count& count : counts)
    if (count.number > 0) parts.push_back(fmt::format("{} {}", count.number, count.number == 1 ? count.one : count.many));
  return fmt::format("{}", fmt::join(parts, ", "));
}

Severity worst_severity(const Report& report) {
  const Result* worst = worst_result(report);
  return worst ? worst->severity : Severity::kOk;
}

std::string_view worst_code(const Report& report) {
  const Result* worst = worst_result(report);
  return worst && worst->severity != Severity::kOk ? std::string_view(worst->code) : std::string_view();
}

}  // namespace flylocal::report
