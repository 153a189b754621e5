#include <fmt/format.h>

#include <algorithm>

#include "flylocal/report/explanation.hpp"
#include "flylocal/report/forms.hpp"
#include "flylocal/report/plain_text.hpp"
#include "flylocal/report/wording.hpp"

namespace flylocal::report {
namespace {

/// Text in one line that is shown as it is: in a table's cell, a heading or a paragraph.
std::string escaped(std::string_view text) {
  std::string line = plain_line(text);
  // Four blanks would begin a block of code, and these characters a list or an underlined heading.
  line.erase(0, line.find_first_not_of(' '));
  std::string markdown = !line.empty() && std::string_view("-+=").find(line.front()) != std::string_view::npos ? "\\" : "";
  for (const char c : line) {
    if (std::string_view("\\`*_[]<>&|~#$").find(c) != std::string_view::npos) markdown += '\\';
    markdown += c;
  }
  return markdown;
}

/// Lines as they are, between fences longer than any row of backticks inside.
std::string block(const std::vector<std::string>& lines) {
  std::size_t longest = 2;
  for (const std::string& line : lines)
    for (std::size_t begin = line.find('`'); begin != std::string::npos;) {
      const std::size_t end = std::min(line.find_first_not_of('`', begin), line.size());
      longest = std::max(longest, end - begin);
      begin = line.find('`', end);
    }
  const std::string fence(longest + 1, '`');
  return fmt::format("{}text\n{}\n{}\n", fence, fmt::join(lines, "\n"), fence);
}

std::string_view mark(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "\u2705";            // white heavy check mark
    case Severity::kNote: return "\u2139\ufe0f";    // information source
    case Severity::kWarning: return "\u26a0\ufe0f"; // warning sign
    case Severity::kPending: return "\u23f3";       // hourglass
    case Severity::kProblem: return "\u274c";       // cross mark
  }
  return "";
}

std::string row(const MachineReport& machine, const Result& result) {
  return fmt::format("| {} | {} | {} ({}, {}) | {} | {} | {} | {} |\n", mark(result.severity), escaped(machine.app), escaped(machine.machine),
                     escaped(machine.process_group), escaped(machine.region), plain_name(result.path), escaped(result.target), outcome(result),
                     escaped(result.code));
}

std::string details(const MachineReport& machine, const ResultGroup& group) {
  const Result& first = group.first();
  const Explanation* known = explain(first.code);
  std::string text = fmt::format("\n### {} {}: {}\n\n{} ({})\n", mark(group.severity), escaped(place(machine, first)),
                                 known ? escaped(known->title) : escaped(first.code), escaped(first.message),
                                 escaped(machine_name(machine)));
  std::vector<std::string> evidence;
  for (const std::string& one : group.evidence)
    for (std::string& line : plain_lines(one)) evidence.push_back(std::move(line));
  if (!evidence.empty()) text += "\n" + block(evidence);
  for (const std::string& fix : group.fixes) {
    const std::vector<std::string> lines = plain_lines(fix);
    if (lines.size() == 1) text += fmt::format("\n**Fix:** {}\n", escaped(lines.front()));
    else if (!lines.empty()) text += "\n**Fix:**\n" + block(lines);
  }
  // A code of explanation.cpp needs no escapes.
  if (known) text += fmt::format("\nMore on it: `flylocal explain {}`\n", known->code);
  return text;
}

}  // namespace

std::string to_markdown(const Report& report) {
  std::string text = fmt::format("## {} Bind report: {}\n", mark(worst_severity(report)), summary(report));
  if (!report.machines.empty()) text += "\n| | App | Machine | Path | Target | Outcome | Code |\n|---|---|---|---|---|---|---|\n";
  std::string told, notes;
  for (const MachineReport& machine : report.machines) {
    for (const ResultGroup& group : groups(machine)) {
      for (const Result* result : group.results) text += row(machine, *result);
      if (group.severity == Severity::kNote)
        notes += fmt::format("- {} {}: {} ({})\n", mark(Severity::kNote), escaped(place(machine, group.first())), escaped(group.first().message),
                             escaped(group.first().code));
      else if (group.severity != Severity::kOk) told += details(machine, group);
    }
  }
  text += told;
  if (!notes.empty()) text += "\n" + notes;
  text.pop_back();
  return text;
}

}  // namespace flylocal::report
