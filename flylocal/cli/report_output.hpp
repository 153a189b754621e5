#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/report/examiner.hpp"
#include "flylocal/report/forms.hpp"

namespace flylocal::cli {

/// One form of the report and where it goes.
struct ReportTarget {
  report::Form form = report::Form::kText;
  std::string file;  ///< empty: stdout
};

/// How a report is made and put out: the options that `check` and `test` share.
struct ReportOptions {
  std::vector<std::string> formats;  ///< "junit=report.xml", "json"
  bool json = false;                 ///< the same as the format json
  std::string time_limit;            ///< seconds, or a duration; empty: as long as Fly.io waits
  std::string settle = "3s";
  bool no_http_probe = false;
};

/// ReportOptions, understood.
struct ReportPlan {
  std::vector<ReportTarget> targets;
  report::ExaminationOptions examination;
  /// Whether stdout is a person's; otherwise nothing but the report may go there.
  bool is_text_on_stdout() const;
};

/// Understands the options; complains and returns nothing when one is wrong.
std::optional<ReportPlan> understand(const ReportOptions& options);

/// "90", "1m30s"; complains about `option` and returns nothing otherwise.
std::optional<std::chrono::milliseconds> parse_limit(std::string_view option, const std::string& text);

/// Tells on stderr for what a report waits, where a person sits before it; else empty.
report::Examiner::OnUncertain tell_who_waits();

/// Puts the report out in all its forms: files are written whole or not at all, texts for stdout go to `print`. The form
/// "github" also adds Markdown to the job's summary, where GitHub asks for one. Complains and returns false when a file
/// cannot be written.
bool put_out(const report::Report& report, const std::vector<ReportTarget>& targets, const std::function<void(std::string)>& print);

}  // namespace flylocal::cli
