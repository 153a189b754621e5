#include "flylocal/cli/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "flylocal/cli/output.hpp"

namespace flylocal::cli {
namespace {

std::string path_text(std::string_view label, report::Path path) {
  const Colour colour = path == report::Path::kReachable ? Colour::kGreen : Colour::kYellow;
  return fmt::format("{} {}", label, paint(colour, report::name(path)));
}

}  // namespace

std::string report_text(const report::Report& report) {
  using Severity = report::Finding::Severity;
  if (report.findings.empty()) return "Bind report: no machines";
  std::string text = paint(Colour::kBold, "Bind report");
  for (const report::Finding& finding : report.findings) {
    const bool ok = finding.severity == Severity::kOk;
    if (finding.port == 0) {
      text += fmt::format("\n  {} {} ({}, machine {}, {})\n    {}{}", ok ? paint(Colour::kGreen, "OK     ") : paint(Colour::kRed, "PROBLEM"),
                          paint(Colour::kBold, finding.app), finding.process_group, finding.machine, finding.region, printable(finding.sentence),
                          ok ? "" : paint(Colour::kDim, fmt::format(" [{}]", finding.code)));
      continue;
    }
    text += fmt::format("\n  {} {} port {} ({}, machine {}, {})\n    {}, {}\n    {}{}",
                        ok ? paint(Colour::kGreen, "OK     ") : paint(finding.severity == Severity::kPending ? Colour::kYellow : Colour::kRed, "PROBLEM"),
                        paint(Colour::kBold, finding.app), finding.port, finding.process_group, finding.machine, finding.region,
                        path_text("Fly Proxy:", finding.proxy), path_text("6PN:", finding.six_pn), printable(finding.sentence),
                        finding.code == "ok" ? "" : paint(Colour::kDim, fmt::format(" [{}]", finding.code)));
  }
  auto wrong = std::find_if(report.findings.begin(), report.findings.end(), [](auto& f) { return f.severity == Severity::kProblem; });
  if (wrong != report.findings.end()) text += "\n  " + paint(Colour::kDim, "More on it: flylocal explain " + wrong->code);
  return text;
}

}  // namespace flylocal::cli
