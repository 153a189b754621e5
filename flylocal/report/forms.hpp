#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flylocal/report/report.hpp"

/// The forms that a report can be put out in. None of the texts ends with a line feed.
namespace flylocal::report {

enum class Form {
  kText,      ///< for a terminal: cli/report_text.hpp
  kJson,      ///< for programs: report_json.hpp
  kJunit,     ///< for test reports
  kSarif,     ///< for code scanning
  kGithub,    ///< for a GitHub Actions log, which shows it beside the code
  kMarkdown,  ///< for a job summary
};

/// "text", "json", "junit", "sarif", "github", "markdown"
std::span<const std::string_view> form_names();

std::optional<Form> parse_form(std::string_view name);

/// JUnit XML: a suite per machine and a case per result. A problem is a failure, and so is what is still pending, as
/// Report::is_good() has it; the code is the failure's type. Warnings and notes pass, and are told in system-out.
std::string to_junit(const Report& report);

/// SARIF 2.1.0 (OASIS): a rule per code that explanation.hpp has, and a result per Result that is not ok. Problems and what is
/// pending are errors. All stand at the first line of fly.toml, and carry app and machine as logical locations.
/// `version` is flylocal's.
std::string to_sarif(const Report& report, std::string_view version);

/// GitHub's workflow commands (docs.github.com, "Workflow commands for GitHub Actions"): ::error for problems and what is
/// pending, ::warning, ::notice, a line for each cause, each at fly.toml. Empty when all is ok.
std::string to_github(const Report& report);

/// GitHub's Markdown: a table with a row per result; below it each cause with its evidence and its fix.
std::string to_markdown(const Report& report);

}  // namespace flylocal::report
