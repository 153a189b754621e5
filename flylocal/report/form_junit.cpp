#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "flylocal/report/forms.hpp"
#include "flylocal/report/plain_text.hpp"
#include "flylocal/report/wording.hpp"

namespace flylocal::report {
namespace {

/// As an element's text.
std::string escaped(std::string_view text) {
  std::string xml;
  for (const char c : plain_text(text)) {
    switch (c) {
      case '&': xml += "&amp;"; break;
      case '<': xml += "&lt;"; break;
      case '>': xml += "&gt;"; break;
      case '"': xml += "&quot;"; break;
      default: xml += c;
    }
  }
  return xml;
}

/// As an attribute's value, in double quotes.
std::string attribute(std::string_view text) { return escaped(plain_line(text)); }

bool is_failure(const Result& result) { return result.severity == Severity::kProblem || result.severity == Severity::kPending; }

std::string joined(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "\n")); }

/// The same in each run: the machine's id and what it is made of may differ.
std::string case_name(const Result& result) {
  const std::string port = result.port == 0 ? "" : fmt::format(" port {}", result.port);
  return fmt::format("{}{}{}", plain_name(result.path), port, result.target.empty() ? "" : fmt::format(" ({})", result.target));
}

std::string test_case(const MachineReport& machine, const Result& result) {
  std::string xml = fmt::format("    <testcase classname=\"{}\" name=\"{}\">\n",
                                attribute(fmt::format("{}.{}", machine.app, machine.process_group)), attribute(case_name(result)));
  std::vector<std::string> said;
  if (is_failure(result)) {
    std::vector<std::string> lines{result.message, attempt(result)};
    if (!result.fix.empty()) lines.push_back("fix: " + result.fix);
    xml += fmt::format("      <failure type=\"{}\" message=\"{}\">{}</failure>\n", attribute(result.code), attribute(result.message),
                       escaped(joined(lines)));
  } else if (result.severity != Severity::kOk) {
    said.push_back(fmt::format("{} [{}]: {}", name(result.severity), result.code, result.message));
  }
  said.insert(said.end(), result.evidence.begin(), result.evidence.end());
  if (!is_failure(result) && !result.fix.empty()) said.push_back("fix: " + result.fix);
  if (!said.empty()) xml += fmt::format("      <system-out>{}</system-out>\n", escaped(joined(said)));
  return xml + "    </testcase>\n";
}

std::string properties(const MachineReport& machine) {
  std::vector<std::pair<std::string_view, std::string>> pairs{{"app", machine.app},           {"process_group", machine.process_group},
                                                              {"machine", machine.machine},   {"region", machine.region},
                                                              {"state", machine.state},       {"program", machine.program}};
  if (machine.listened_after) pairs.emplace_back("listened_after_ms", std::to_string(machine.listened_after->count()));
  std::string xml = "    <properties>\n";
  for (const auto& [key, value] : pairs) xml += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", key, attribute(value));
  return xml + "    </properties>\n";
}

}  // namespace

std::string to_junit(const Report& report) {
  std::string suites;
  std::size_t tests = 0;
  std::ptrdiff_t failures = 0;
  for (const MachineReport& machine : report.machines) {
    const auto failed = std::count_if(machine.results.begin(), machine.results.end(), is_failure);
    tests += machine.results.size();
    failures += failed;
    suites += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">\n",
                          attribute(fmt::format("{} {}", machine.app, machine_name(machine))), machine.results.size(), failed);
    suites += properties(machine);
    for (const Result& result : machine.results) suites += test_case(machine, result);
    suites += "  </testsuite>\n";
  }
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<testsuites name=\"flylocal\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n{}</testsuites>",
                     tests, failures, suites);
}

}  // namespace flylocal::report
