#include "flylocal/cli/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "flylocal/base/utf8.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/report/explanation.hpp"
#include "flylocal/report/wording.hpp"

namespace flylocal::cli {
namespace {

using report::MachineReport;
using report::Path;
using report::Result;
using report::ResultGroup;
using report::Severity;

/// Below the paths' names, which stand two blanks to the right of the widest mark.
constexpr std::string_view kIndent = "           ";
constexpr std::size_t kWidestTarget = 44;

struct Mark {
  std::string_view word;
  Colour colour;
};

Mark mark(Severity severity) {
  switch (severity) {
    case Severity::kOk: return {"OK", Colour::kGreen};
    case Severity::kNote: return {"NOTE", Colour::kCyan};
    case Severity::kWarning: return {"WARN", Colour::kYellow};
    case Severity::kPending: return {"WAIT", Colour::kYellow};
    case Severity::kProblem: return {"PROBLEM", Colour::kRed};
  }
  return {"", Colour::kNone};
}

/// A line of a program's text. Colours of its own end with it.
std::string shown(std::string_view text) {
  // Before, since only in UTF-8 the C1 control characters are told from others; after, since an escape sequence may have taken
  // the first octet of a character with it.
  std::string line = to_valid_utf8(printable(to_valid_utf8(text)));
  if (line.find('\x1b') != std::string::npos) line += "\x1b[0m";
  return line;
}

/// A program's text, which should be one line, in one line.
std::string shown_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return shown(text);
}

std::vector<std::string> shown_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(shown(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

/// How many characters it has, of its octets.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(std::string text, std::size_t columns) {
  const std::size_t has = width(text);
  if (has < columns) text.append(columns - has, ' ');
  return text;
}

std::string seconds(std::chrono::milliseconds time) {
  if (time < std::chrono::milliseconds(10)) return fmt::format("{} ms", time.count());
  const double number = std::chrono::duration<double>(time).count();
  return time % std::chrono::seconds(1) == std::chrono::milliseconds(0) ? fmt::format("{:.0f} s", number) : fmt::format("{:.2f} s", number);
}

std::string heading(const MachineReport& machine) {
  std::vector<std::string> facts;
  if (machine.state != "started") facts.push_back(shown_line(machine.state));
  if (!machine.program.empty()) facts.push_back(shown_line(machine.program));
  if (machine.listened_after) {
    facts.push_back("listened after " + seconds(*machine.listened_after));
    if (machine.grace_period.count() > 0) facts.back() += fmt::format(" (grace period {})", seconds(machine.grace_period));
  }
  return fmt::format("{}  {}{}{}", paint(Colour::kBold, shown_line(machine.app)), shown_line(report::machine_name(machine)),
                     facts.empty() ? "" : "  ", fmt::join(facts, ", "));
}

std::string code_text(const Result& result) {
  return result.code == "ok" || result.code.empty() ? "" : fmt::format("[{}]", shown_line(result.code));
}

std::string line(const Result& result, std::size_t target_columns) {
  const Mark sign = mark(result.severity);
  const std::string code = code_text(result);
  const std::string outcome = report::outcome(result);
  return fmt::format("  {}  {:<9}  {}  {}{}", paint(sign.colour, fmt::format("{:<7}", sign.word)), report::plain_name(result.path),
                     padded(shown_line(result.target), target_columns),
                     result.severity >= Severity::kPending ? paint(sign.colour, outcome) : outcome,
                     code.empty() ? "" : "  " + paint(Colour::kDim, code));
}

/// What happens there, with the port in the sentences that one would see.
std::string on_fly(const report::Explanation& explanation, std::uint16_t port) {
  constexpr std::string_view kAddress = "0.0.0.0:", kPort = "PORT";
  std::string text(explanation.on_fly);
  const std::size_t at = text.find(std::string(kAddress) + std::string(kPort));
  if (at != std::string::npos && port != 0) text.replace(at + kAddress.size(), kPort.size(), std::to_string(port));
  return text;
}

/// What the group's results have in common, below their lines.
std::string cause(const ResultGroup& group) {
  std::string text;
  if (!group.first().message.empty()) text += fmt::format("\n{}{}", kIndent, shown_line(group.first().message));
  if (group.severity == Severity::kNote) return text;
  for (const std::string& one : group.evidence)
    for (const std::string& seen : shown_lines(one)) text += fmt::format("\n{}  {}", kIndent, paint(Colour::kDim, seen));
  const report::Explanation* known = report::explain(group.first().code);
  if (known && group.severity == Severity::kProblem) text += fmt::format("\n{}{} {}", kIndent, paint(Colour::kBold, "on Fly.io:"), on_fly(*known, group.first().port));
  for (const std::string& fix : group.fixes) {
    std::string begin = paint(Colour::kBold, "fix:");
    for (const std::string& step : shown_lines(fix)) {
      text += fmt::format("\n{}{} {}", kIndent, begin, step);
      begin = "    ";
    }
  }
  return text;
}

std::string machine_text(const MachineReport& machine) {
  std::size_t columns = 0;
  for (const Result& result : machine.results) columns = std::max(columns, width(shown_line(result.target)));
  columns = std::min(columns, kWidestTarget);
  std::string text = heading(machine);
  for (const ResultGroup& group : report::groups(machine)) {
    for (const Result* result : group.results) text += "\n" + line(*result, columns);
    if (group.severity != Severity::kOk) text += cause(group);
  }
  return text;
}

}  // namespace

std::string report_text(const report::Report& report) {
  std::string text;
  for (const MachineReport& machine : report.machines) text += machine_text(machine) + "\n\n";
  text += paint(mark(report::worst_severity(report)).colour, report::summary(report));
  if (const std::string code(report::worst_code(report)); !code.empty()) text += "; more on it: flylocal explain " + shown_line(code);
  return text;
}

std::string waiting_text(const MachineReport& machine, const Result& result) {
  return paint(Colour::kDim, fmt::format("  still waiting for {} {} of machine {}: {}", shown_line(report::place(machine, result)), report::plain_name(result.path),
                                         shown_line(machine.machine), shown_line(result.message)));
}

std::string change_text(const MachineReport& machine, const Result* before, const Result* now) {
  const Result& either = now ? *now : *before;
  const bool has_target = either.port == 0 || either.path == Path::kCheck || either.path == Path::kDns;
  std::string was = before ? report::outcome(*before) : "", is = now ? paint(mark(now->severity).colour, report::outcome(*now)) : "not there any more";
  // Where the outcome is the same, the codes tell what has changed.
  if (before && now && report::outcome(*before) == report::outcome(*now) && !code_text(*before).empty()) was += " " + code_text(*before);
  if (now && !code_text(*now).empty()) is += " " + paint(Colour::kDim, code_text(*now));
  std::string text = fmt::format("{} {}{}, machine {}: {}{}", paint(Colour::kBold, shown_line(report::place(machine, either))), report::plain_name(either.path),
                                 has_target ? " " + shown_line(either.target) : "", shown_line(machine.machine), before ? was + " -> " : "", is);
  if (now && now->severity != Severity::kOk && !now->message.empty()) text += "\n  " + shown_line(now->message);
  return text;
}

}  // namespace flylocal::cli
