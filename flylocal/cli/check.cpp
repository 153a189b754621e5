#include "flylocal/cli/check.hpp"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"
#include "flylocal/report/report_json.hpp"
#include "flylocal/store/state_directory.hpp"

namespace flylocal::cli {
namespace {

using namespace asio::experimental::awaitable_operators;

int finish(const ReportPlan& plan, const report::Report& report, const std::function<void(std::string)>& print) {
  if (!put_out(report, plan.targets, print)) return kCannotRun;
  return report.is_good() ? kOk : kProblem;
}

/// The same check of a sandbox that already runs these projects; nothing when none does.
std::optional<int> check_running(const CheckOptions& options, const ReportPlan& plan) {
  auto state = store::state_directory();
  if (!state) return std::nullopt;
  auto client = api::Client::connect(*state);
  if (!client) return std::nullopt;
  auto status = client->call("GET", "/flylocal/v1/status");
  if (!status) return std::nullopt;
  std::map<std::string, std::string> running;  // directory -> app
  for (const boost::json::value& app : status->at("apps").as_array()) running[text_of(app.as_object(), "directory")] = text_of(app.as_object(), "name");
  std::vector<std::filesystem::path> directories = options.projects.directories;
  if (directories.empty()) directories = {"."};
  std::set<std::string> apps;
  for (const auto& directory : directories) {
    std::error_code failed;
    const auto app = running.find(std::filesystem::canonical(directory, failed).string());
    if (app == running.end()) return std::nullopt;
    apps.insert(app->second);
  }
  std::string query = fmt::format("?settle_ms={}&http_probe={}", plan.examination.settle.count(), plan.examination.http_probe ? 1 : 0);
  if (plan.examination.time_limit) query += fmt::format("&timeout_ms={}", plan.examination.time_limit->count());
  client->wait_without_limit();
  auto answer = client->call("GET", "/flylocal/v1/report" + query);
  auto report = answer ? report::from_json(*answer) : Result<report::Report>(answer.error());
  if (!report) {
    complain(report.error().message);
    return kCannotRun;
  }
  // Other apps of the sandbox were not asked for.
  std::erase_if(report->machines, [&](const report::MachineReport& machine) { return !apps.contains(machine.app); });
  return finish(plan, *report, [](const std::string& text) { say(text); });
}

}  // namespace

int check(const CheckOptions& options) {
  const auto plan = understand(options.report);
  if (!plan) return kCannotRun;
  if (auto code = check_running(options, *plan)) return *code;
  SandboxOptions how;
  how.chatter = plan->is_text_on_stdout() ? Chatter::kOn : Chatter::kOff;
  how.http_probe = plan->examination.http_probe;
  return run_sandbox(options.projects, how, [&](Running& running) -> Task<int> {
    report::Report report;
    auto look = [&]() -> Task<> {
      co_await running.sandbox.start_machines();
      report = co_await report::make_report(running.sandbox, plan->examination, tell_who_waits());
    };
    auto ended = co_await (look() || until_stopped(running));
    if (ended.index() == 1) co_return kCannotRun;
    co_return finish(*plan, report, [&](std::string text) { running.printer.print(std::move(text)); });
  });
}

}  // namespace flylocal::cli
