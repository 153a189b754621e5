#include <fmt/format.h>

#include "flylocal/report/explanation.hpp"
#include "flylocal/report/forms.hpp"
#include "flylocal/report/plain_text.hpp"
#include "flylocal/report/wording.hpp"

namespace flylocal::report {
namespace {

/// A command's text: it ends with its line, and "%" begins an escape.
std::string escaped_text(std::string_view text) {
  std::string escaped;
  for (const char c : plain_text(text)) {
    if (c == '%') escaped += "%25";
    else if (c == '\n') escaped += "%0A";
    else escaped += c;
  }
  return escaped;
}

/// A command's property: it also ends at a comma or a colon.
std::string escaped_property(std::string_view text) {
  std::string escaped;
  for (const char c : escaped_text(text)) {
    if (c == ':') escaped += "%3A";
    else if (c == ',') escaped += "%2C";
    else escaped += c;
  }
  return escaped;
}

std::string_view command(Severity severity) {
  switch (severity) {
    case Severity::kOk:
    case Severity::kNote: return "notice";
    case Severity::kWarning: return "warning";
    case Severity::kPending:
    case Severity::kProblem: return "error";
  }
  return "";
}

std::string annotation(const MachineReport& machine, const ResultGroup& group) {
  const Result& first = group.first();
  const Explanation* known = explain(first.code);
  const std::string title = fmt::format("{}: {}", place(machine, first), known ? std::string(known->title) : first.code);
  std::string text = fmt::format("{} [{}]\n{}", first.message, first.code, machine_name(machine));
  for (const Result* result : group.results) text += "\n" + attempt(*result);
  for (const std::string& line : group.evidence) text += "\n" + line;
  for (const std::string& fix : group.fixes) text += "\nfix: " + fix;
  return fmt::format("::{} file=fly.toml,title={}::{}", command(group.severity), escaped_property(title), escaped_text(text));
}

}  // namespace

std::string to_github(const Report& report) {
  std::vector<std::string> lines;
  for (const MachineReport& machine : report.machines)
    for (const ResultGroup& group : groups(machine))
      if (group.severity != Severity::kOk) lines.push_back(annotation(machine, group));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace flylocal::report
