#include "flylocal/cli/sandbox_commands.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/log_text.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/report_text.hpp"
#include "flylocal/report/report_json.hpp"
#include "flylocal/cli/sandbox_client.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;

/// "1/2": how many of the checks pass.
std::string checks_column(const json::array& checks) {
  if (checks.empty()) return "-";
  const auto passing = std::count_if(checks.begin(), checks.end(), [](const json::value& check) { return text_of(check.as_object(), "status") == "passing"; });
  return fmt::format("{}/{}", passing, checks.size());
}

std::string machine_table(const json::array& machines, const std::string& app) {
  std::vector<std::vector<std::string>> rows{{"ID", "APP", "PROCESS", "REGION", "STATE", "6PN", "IPV4", "RESTARTS", "CHECKS"}};
  for (const json::value& value : machines) {
    const json::object& m = value.as_object();
    if (!app.empty() && text_of(m, "app") != app) continue;
    std::string state = text_of(m, "state");
    if (m.contains("last_exit_code") && state != "started" && state != "suspended")
      state += fmt::format(" (exit {})", m.at("last_exit_code").as_int64());
    if (m.at("cordoned").as_bool()) state += ", cordoned";
    rows.push_back({text_of(m, "id"), text_of(m, "app"), text_of(m, "process_group"), text_of(m, "region"), state,
                    text_of(m, "private_ip"), text_of(m, "private_ipv4"), std::to_string(m.at("restart_count").as_int64()), checks_column(m.at("checks").as_array())});
  }
  return table(rows);
}

std::string machine_path(const json::object& machine) {
  return fmt::format("/v1/apps/{}/machines/{}", api::url_encode(text_of(machine, "app")), text_of(machine, "id"));
}

}  // namespace

int status(const StatusOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  if (options.json) {
    say(json::serialize(*status));
    return kOk;
  }
  std::vector<std::vector<std::string>> apps{{"APP", "NETWORK", "6PN", "DIRECTORY"}};
  for (const json::value& value : status->at("apps").as_array()) {
    const json::object& app = value.as_object();
    apps.push_back({text_of(app, "name"), fmt::format("{}/{}", text_of(app, "organization"), text_of(app, "network")),
                    text_of(app, "six_pn_prefix"), text_of(app, "directory")});
  }
  fmt::print("{}\n{}", table(apps), machine_table(status->at("machines").as_array(), ""));
  std::vector<std::vector<std::string>> ports{{"PORT", "ON THIS HOST", "TO"}};
  for (const json::value& value : status->at("ports").as_array()) {
    const json::object& port = value.as_object();
    for (const json::value& backend_value : port.at("backends").as_array()) {
      const json::object& backend = backend_value.as_object();
      ports.push_back({std::to_string(port.at("external_port").as_int64()), text_of(backend, "url"),
                       fmt::format("{} {}, port {}", text_of(backend, "app"), text_of(backend, "process_group"),
                                   backend.at("internal_port").as_int64())});
    }
  }
  if (ports.size() > 1) fmt::print("\n{}", table(ports));
  for (const json::value& note : status->at("notes").as_array())
    fmt::print("{}\n", paint(Colour::kDim, printable(std::string_view(note.as_string()))));
  // A look must not send requests to the program.
  auto answer = client->call("GET", "/flylocal/v1/report?timeout_ms=0&http_probe=0");
  auto report = answer ? report::from_json(*answer) : Result<report::Report>(answer.error());
  if (report) fmt::print("\n{}\n", report_text(*report));
  return kOk;
}

int logs(const LogsOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  const bool named = !options.app.empty() || !options.machine.empty();
  if (named && !choose_machine(*status, options.app, options.machine)) return kCannotRun;
  const std::string target = fmt::format("/flylocal/v1/logs?follow={}&app={}&machine={}", options.follow ? 1 : 0,
                                         api::url_encode(options.app), api::url_encode(options.machine));
  auto done = client->stream(target, [&](const std::string& text) {
    if (options.json) {
      say(text);
      return std::ferror(stdout) == 0;
    }
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) return true;
    const json::object& line = value.get_object();
    sandbox::LogLine shown{text_of(line, "source") == "app" ? sandbox::LogLine::Source::kApp : sandbox::LogLine::Source::kRunner,
                           std::chrono::system_clock::time_point(std::chrono::milliseconds(line.at("timestamp").as_int64())),
                           text_of(line, "app"), text_of(line, "machine"), text_of(line, "region"), text_of(line, "message")};
    say(fmt::format("{} {}", paint(Colour::kDim, fmt::format("{:%H:%M:%S}", fmt::localtime(std::chrono::system_clock::to_time_t(shown.at)))), log_text(shown)));
    return std::ferror(stdout) == 0;
  });
  if (done) return kOk;
  complain(done.error().message);
  return kProblem;
}

int down() {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto process = client->server_pidfd();
  auto asked = client->call("POST", "/flylocal/v1/shutdown");
  if (!asked) {
    complain(asked.error().message);
    return kProblem;
  }
  if (process) {
    // It ends after the machines' kill_timeouts, which its configuration bounds.
    pollfd wait{process->get(), POLLIN, 0};
    while (::poll(&wait, 1, -1) < 0 && errno == EINTR) {
    }
  }
  say("The sandbox has stopped.");
  return kOk;
}

int machine_list(const MachineListOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  const json::array& machines = status->at("machines").as_array();
  if (options.json) {
    json::array chosen;
    for (const json::value& machine : machines)
      if (options.app.empty() || text_of(machine.as_object(), "app") == options.app) chosen.push_back(machine);
    say(json::serialize(chosen));
  } else {
    fmt::print("{}", machine_table(machines, options.app));
  }
  return kOk;
}

int machine_action(const MachineActionOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  int code = kOk;
  for (const std::string& id : options.machines) {
    if (id.empty()) {
      complain("a machine id is empty");
      return kCannotRun;
    }
    auto machine = choose_machine(*status, "", id);
    if (!machine) {
      code = kProblem;
      continue;
    }
    client->wait_without_limit();
    json::object body;
    std::string call = options.action;
    if (options.action == "kill") {
      call = "stop";
      body["signal"] = "SIGKILL";
    } else if (options.action != "start") {
      if (!options.signal.empty()) body["signal"] = options.signal;
      if (!options.timeout.empty()) body["timeout"] = options.timeout;
    }
    if (auto done = client->call("POST", machine_path(*machine) + "/" + call, body); !done) {
      complain(fmt::format("machine {}: {}", text_of(*machine, "id"), done.error().message));
      code = kProblem;
      continue;
    }
    auto now = client->call("GET", machine_path(*machine));
    const bool is_cordoned = now && now->as_object().at("cordoned").as_bool();
    say(fmt::format("machine {} is {}{}", text_of(*machine, "id"), now ? text_of(now->as_object(), "state") : "gone", is_cordoned ? ", cordoned" : ""));
  }
  return code;
}

int checks_list(const ChecksListOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  json::array chosen;
  std::vector<std::vector<std::string>> rows{{"MACHINE", "APP", "NAME", "STATUS", "UPDATED", "OUTPUT"}};
  for (const json::value& value : status->at("machines").as_array()) {
    const json::object& machine = value.as_object();
    if (!options.app.empty() && text_of(machine, "app") != options.app) continue;
    for (const json::value& one : machine.at("checks").as_array()) {
      json::object check = one.as_object();
      check["machine"] = text_of(machine, "id");
      check["app"] = text_of(machine, "app");
      rows.push_back({text_of(machine, "id"), text_of(machine, "app"), text_of(check, "name"), text_of(check, "status"), text_of(check, "updated_at"),
                      printable(text_of(check, "output"))});
      chosen.push_back(std::move(check));
    }
  }
  if (options.json) say(json::serialize(chosen));
  else if (chosen.empty()) say("No checks are configured.");
  else fmt::print("{}", table(rows));
  return kOk;
}

int tick(const TickOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  client->wait_without_limit();
  auto passed = client->call("POST", "/flylocal/v1/tick");
  if (!passed) {
    complain(passed.error().message);
    return kProblem;
  }
  if (options.json) {
    say(json::serialize(*passed));
    return kOk;
  }
  const json::array& stopped = passed->at("autostopped").as_array();
  for (const json::value& value : stopped) {
    const json::object& one = value.as_object();
    const bool suspends = text_of(one, "action") == "suspend";
    if (one.at("done").as_bool())
      say(fmt::format("{} machine {} of {} in {}: {} of {} left running", suspends ? "suspended" : "stopped", text_of(one, "machine"), text_of(one, "app"),
                      text_of(one, "region"), one.at("left_running").as_int64(), one.at("of_machines").as_int64()));
    else say(fmt::format("left machine {} of {} running: it was needed again", text_of(one, "machine"), text_of(one, "app")));
  }
  if (stopped.empty()) say("No machine is more than is needed, or none may be stopped automatically.");
  return kOk;
}

int scale_count(const ScaleOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  const json::object* app = nullptr;
  std::vector<std::string> names;
  for (const json::value& value : status->at("apps").as_array()) {
    names.push_back(text_of(value.as_object(), "name"));
    if (options.app.empty() || names.back() == options.app) app = &value.as_object();
  }
  if (!app || (options.app.empty() && names.size() > 1)) {
    complain(app ? fmt::format("several apps run here: say which with -a ({})", fmt::join(names, ", "))
                 : fmt::format("no app {} in this sandbox, only {}", options.app, fmt::join(names, ", ")));
    return kCannotRun;
  }
  client->wait_without_limit();
  std::vector<std::string> groups;
  for (const json::value& value : app->at("process_groups").as_array()) groups.emplace_back(value.as_string());
  const std::string region = options.region.empty() ? text_of(*app, "primary_region") : options.region;
  for (const std::string& word : options.counts) {
    const std::size_t equals = word.find('=');
    const std::string number = equals == std::string::npos ? word : word.substr(equals + 1);
    std::string group = equals == std::string::npos ? options.process_group : word.substr(0, equals);
    if (group.empty() && groups.size() > 1) {
      complain(fmt::format("several process groups: say which, e.g. {}={}", groups.front(), number));
      return kCannotRun;
    }
    if (group.empty()) group = groups.front();
    int count = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (error != std::errc{} || end != number.data() + number.size() || number.empty()) {
      complain(fmt::format("count: found {:?}, allowed: a number, or GROUP=NUMBER", word));
      return kCannotRun;
    }
    auto done = client->call("POST", "/flylocal/v1/scale",
                             json::object{{"app", text_of(*app, "name")}, {"process_group", group}, {"region", region}, {"count", count}});
    if (!done) {
      complain(done.error().message);
      return kProblem;
    }
    say(fmt::format("{} {}: {} machine{} in {}", text_of(*app, "name"), group, count, count == 1 ? "" : "s", region));
  }
  return kOk;
}

}  // namespace flylocal::cli
