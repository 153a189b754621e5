#include "flylocal/cli/report_output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "flylocal/cli/output.hpp"
#include "flylocal/cli/report_text.hpp"
#include "flylocal/cli/version.hpp"
#include "flylocal/config/durations.hpp"
#include "flylocal/report/report_json.hpp"

namespace flylocal::cli {
namespace {

using report::Form;

std::string text_in(Form form, const report::Report& report) {
  switch (form) {
    case Form::kText: return report_text(report);
    case Form::kJson: return boost::json::serialize(report::to_json(report));
    case Form::kJunit: return report::to_junit(report);
    case Form::kSarif: return report::to_sarif(report, kVersion);
    case Form::kGithub: return report::to_github(report);
    case Form::kMarkdown: return report::to_markdown(report);
  }
  return {};
}

/// Whether another file may be put in its place; not so /dev/stderr, /dev/fd/3, a pipe, and where a link points to.
bool is_replaceable(const std::string& file) {
  std::error_code failed;
  const auto type = std::filesystem::symlink_status(file, failed).type();
  return type == std::filesystem::file_type::regular || type == std::filesystem::file_type::not_found;
}

/// Beside the file and then into its place, so that nobody reads half a report.
bool write_whole(const std::string& file, const std::string& text) {
  const std::string beside = is_replaceable(file) ? file + ".part" : file;
  std::error_code failed;
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out << text << '\n';
    out.close();
    if (!out) failed = std::make_error_code(std::errc::io_error);
  }
  if (!failed && beside != file) std::filesystem::rename(beside, file, failed);
  if (!failed) return true;
  complain(fmt::format("write the report {}: {}; is its directory there?", file, failed.message()));
  if (beside != file) std::filesystem::remove(beside, failed);
  return false;
}

bool add_to_job_summary(const report::Report& report) {
  const char* file = std::getenv("GITHUB_STEP_SUMMARY");
  if (!file || !*file) return true;
  std::ofstream out(file, std::ios::binary | std::ios::app);
  out << report::to_markdown(report) << '\n';
  out.close();
  if (!out) complain(fmt::format("write the job summary {}", file));
  return static_cast<bool>(out);
}

}  // namespace

bool ReportPlan::is_text_on_stdout() const {
  return std::none_of(targets.begin(), targets.end(), [](const ReportTarget& target) { return target.file.empty() && target.form != Form::kText; });
}

std::optional<std::chrono::milliseconds> parse_limit(std::string_view option, const std::string& text) {
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const auto limit = config::parse_go_duration(is_number ? text + "s" : text);
  if (limit && limit->count() >= 0) return std::chrono::duration_cast<std::chrono::milliseconds>(*limit);
  complain(fmt::format("{}: found {:?}, allowed: seconds, or a duration like 1m30s", option, text));
  return std::nullopt;
}

std::optional<ReportPlan> understand(const ReportOptions& options) {
  ReportPlan plan;
  std::vector<std::string> formats = options.formats;
  if (options.json) formats.push_back("json");
  for (const std::string& word : formats) {
    const std::size_t equals = word.find('=');
    const auto form = report::parse_form(word.substr(0, equals));
    if (!form) {
      complain(fmt::format("--format: found {:?}, allowed: {}, each also as FORM=FILE", word, fmt::join(report::form_names(), ", ")));
      return std::nullopt;
    }
    plan.targets.push_back({*form, equals == std::string::npos ? "" : word.substr(equals + 1)});
    if (equals != std::string::npos && plan.targets.back().file.empty()) {
      complain(fmt::format("--format: found {:?}, which names no file behind the =", word));
      return std::nullopt;
    }
  }
  const auto on_stdout = std::count_if(plan.targets.begin(), plan.targets.end(), [](auto& target) { return target.file.empty(); });
  if (on_stdout > 1) {
    complain("--format: only one form can go to stdout; give the others a file, as in junit=report.xml");
    return std::nullopt;
  }
  if (on_stdout == 0) plan.targets.push_back({Form::kText, ""});
  if (!options.time_limit.empty()) {
    plan.examination.time_limit = parse_limit("--timeout", options.time_limit);
    if (!plan.examination.time_limit) return std::nullopt;
  }
  const auto settle = parse_limit("--settle", options.settle);
  if (!settle) return std::nullopt;
  plan.examination.settle = *settle;
  plan.examination.http_probe = !options.no_http_probe;
  return plan;
}

report::Examiner::OnUncertain tell_who_waits() {
  if (::isatty(STDERR_FILENO) != 1) return {};
  return [](const report::MachineReport& machine, const report::Result& result) { fmt::print(stderr, "{}\n", waiting_text(machine, result)); };
}

bool put_out(const report::Report& report, const std::vector<ReportTarget>& targets, const std::function<void(std::string)>& print) {
  bool written = true;
  for (const ReportTarget& target : targets) {
    std::string text = text_in(target.form, report);
    if (target.file.empty()) print(std::move(text));
    else written &= write_whole(target.file, text);
    if (target.form == Form::kGithub) written &= add_to_job_summary(report);
  }
  return written;
}

}  // namespace flylocal::cli
