#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flylocal/report/report.hpp"

/// What all forms of a report that people read say alike. Texts of programs come out of here as they are; it is for the form
/// to make them harmless.
namespace flylocal::report {

/// Results of one port that have the same cause, that is the same code and message: it need be told only once.
struct ResultGroup {
  std::vector<const Result*> results;  ///< at least one; they belong to the MachineReport
  Severity severity = Severity::kOk;   ///< the worst
  std::vector<std::string> evidence;   ///< of all, each line once
  std::vector<std::string> fixes;      ///< of all, each once

  const Result& first() const { return *results.front(); }
};

/// The machine's results in groups, in the order of each group's first one. A result that is ok stays alone.
std::vector<ResultGroup> groups(const MachineReport& machine);

/// "Fly Proxy", "6PN", "published", "UDP", "check", "DNS"
std::string_view plain_name(Path path);

/// How it went, in a word or two: "reachable", "refused, not required", "fails" of a check, "no answer" of DNS.
std::string outcome(const Result& result);

/// What was tried, and how it went: "Fly Proxy 172.19.0.2:8080: refused".
std::string attempt(const Result& result);

/// "hello port 8080"; only "hello" where it is not about one port.
std::string place(const MachineReport& machine, const Result& result);

/// "machine 3d8d413b29d089 (app, iad)"
std::string machine_name(const MachineReport& machine);

/// How many groups there are of each severity: "2 problems, 1 warning", "no problems, 1 note", "no problems", "no machines".
std::string summary(const Report& report);

/// The worst severity in the report; kOk when it is empty.
Severity worst_severity(const Report& report);

/// The code of the first result of the worst severity, to be read about first; empty when all is ok.
std::string_view worst_code(const Report& report);

}  // namespace flylocal::report
