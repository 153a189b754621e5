#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <set>

#include "flylocal/api/machine_json.hpp"
#include "flylocal/api/routes.hpp"
#include "flylocal/base/utf8.hpp"
#include "flylocal/config/durations.hpp"
#include "flylocal/launch/shell_words.hpp"
#include "flylocal/sandbox/visitor.hpp"

namespace flylocal::api {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using sandbox::Machine;
using sandbox::MachineState;
using sandbox::Sandbox;

/// The machine that a request names, in the app that it names.
std::shared_ptr<Machine> find(Sandbox& sandbox, const Request& request) {
  auto machine = sandbox.find_machine(request.params.at("id"));
  return machine && machine->spec().record.app == request.params.at("app") ? machine : nullptr;
}

Reply no_machine(const Request& request) {
  return Reply::error(404, fmt::format("app {} has no machine {}", request.params.at("app"), request.params.at("id")));
}

Reply ok() { return Reply::json(json::object{{"ok", true}}); }

/// A signal as clients send it: a number, or a name with or without "SIG".
std::optional<int> signal_number(const json::value& value) {
  if (value.is_int64() && value.get_int64() > 0 && value.get_int64() < NSIG) return static_cast<int>(value.get_int64());
  if (!value.is_string()) return std::nullopt;
  std::string_view wanted(value.get_string().data(), value.get_string().size());
  if (wanted.starts_with("SIG")) wanted.remove_prefix(3);
  for (int number = 1; number < NSIG; ++number)
    if (const char* known = ::sigabbrev_np(number); known && wanted == known) return number;
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> duration_of(const json::value& value) {
  if (value.is_int64()) return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(value.get_int64()));
  if (!value.is_string()) return std::nullopt;
  std::string text(value.get_string());
  if (text.find_first_not_of("0123456789") == std::string::npos) text += "s";
  auto parsed = config::parse_go_duration(text);
  if (!parsed) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
}

struct StopOptions {
  std::optional<int> signal;
  std::optional<std::chrono::milliseconds> timeout;
};

Result<StopOptions> stop_options(const Request& request) {
  auto body = request.json_body();
  if (!body) return body.error();
  StopOptions options;
  json::value signal = body->contains("signal") ? body->at("signal") : json::value(nullptr);
  json::value timeout = body->contains("timeout") ? body->at("timeout") : json::value(nullptr);
  if (auto text = request.get("signal"); !text.empty()) signal = json::string(text);
  if (auto text = request.get("timeout"); !text.empty()) timeout = json::string(text);
  if (!signal.is_null() && signal != "" && !(options.signal = signal_number(signal)))
    return Error{fmt::format("signal: found {}, allowed: a signal's name or number", json::serialize(signal))};
  if (!timeout.is_null() && timeout != "" && !(options.timeout = duration_of(timeout)))
    return Error{fmt::format("timeout: found {}, allowed: a duration like 10s", json::serialize(timeout))};
  return options;
}

Task<Reply> start_machine(Machine& machine) {
  const std::string before(name(machine.state()));
  auto started = co_await machine.start("user");
  if (!started) co_return Reply::error(500, started.error().message);
  co_return Reply::json(json::object{{"previous_state", before}, {"migrated", false}, {"new_host", ""}});
}

Task<Reply> wait_for_state(Machine& machine, const Request& request) {
  std::string wanted = request.get("state", "started");
  auto limit = config::parse_go_duration(request.get("timeout", "60") + (request.get("timeout", "60").find_first_not_of("0123456789") == std::string::npos ? "s" : ""));
  if (!limit || *limit < 0s || *limit > 60s) co_return Reply::error(400, "timeout: allowed: 0 to 60 seconds");
  std::set<std::string> settled{"created", "started", "stopped", "suspended", "failed"};
  const Machine::Condition reached = [&](const Machine& m) {
    const std::string state(name(m.state()));
    return state == wanted || (wanted == "settled" && settled.contains(state));
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(*limit);
  const bool in_time = co_await machine.wait(reached, deadline);
  if (in_time) co_return ok();
  co_return Reply::error(408, fmt::format("machine {} is {}, not {}", machine.id(), name(machine.state()), wanted));
}

Task<Reply> exec_in_machine(Sandbox& sandbox, Machine& machine, const Request& request) {
  auto body = request.json_body();
  if (!body) co_return Reply::error(400, body.error().message);
  std::vector<std::string> argv;
  if (const json::value* words = body->if_contains("command"); words && words->is_array()) {
    for (const json::value& word : words->get_array()) {
      if (!word.is_string()) co_return Reply::error(400, "command: allowed: a list of strings");
      argv.emplace_back(word.get_string());
    }
  } else if (const json::value* line = body->if_contains("cmd"); line && line->is_string()) {
    auto split = launch::split_shell_words(std::string_view(line->get_string().data(), line->get_string().size()));
    if (!split) co_return Reply::error(400, "cmd: " + split.error().message);
    argv = *split;
  }
  if (argv.empty()) co_return Reply::error(400, "give a command: {\"cmd\": \"ls -l\"} or {\"command\": [\"ls\", \"-l\"]}");
  std::chrono::milliseconds limit = 60s;
  if (const json::value* timeout = body->if_contains("timeout"); timeout && timeout->is_int64()) limit = std::chrono::seconds(timeout->get_int64());
  auto outcome = co_await sandbox::run_in_machine(sandbox, machine, argv, limit);
  if (!outcome) co_return Reply::error(machine.is_started() ? 400 : 412, outcome.error().message);
  co_return Reply::json(json::object{{"exit_code", outcome->exit_code}, {"stdout", to_valid_utf8(outcome->output)}, {"stderr", to_valid_utf8(outcome->error_output)}});
}

Reply list_processes(Machine& machine) {
  json::array list;
  if (!machine.guest() || !machine.inventory()) return Reply::json(list);
  auto sockets = machine.inventory()->read();
  if (!sockets) return Reply::error(500, sockets.error().message);
  auto processes = netns::guest_processes(machine.guest()->init_pid());
  for (const netns::GuestProcess& process : processes) {
    json::array listen;
    for (const netns::BoundSocket& socket : *sockets) {
      if (netns::find_owner(processes, socket) != &process) continue;
      const std::string host = socket.address.is_v6() ? "[" + socket.address.to_string() + "]" : socket.address.to_string();
      listen.push_back({{"proto", socket.protocol == netns::BoundSocket::Protocol::kTcp ? "tcp" : "udp"},
                        {"address", fmt::format("{}:{}", host, socket.port)}});
    }
    list.push_back({{"pid", process.pid},
                    {"stime", 0},
                    {"rtime", 0},
                    {"cpu", 0},
                    {"rss", 0},
                    {"command", process.command_line.empty() ? process.name : fmt::format("{}", fmt::join(process.command_line, " "))},
                    {"directory", process.directory},
                    {"listen_sockets", std::move(listen)}});
  }
  return Reply::json(list);
}

json::object app_json(Sandbox& sandbox, const project::AppSpec& app) {
  int count = 0;
  for (const auto& machine : sandbox.machines()) count += machine->spec().record.app == app.name;
  return {{"id", app.name},
          {"name", app.name},
          {"status", "deployed"},
          {"machine_count", count},
          {"network", app.network},
          {"organization", {{"name", app.organization}, {"slug", app.organization}}}};
}

}  // namespace

void add_machine_routes(ControlServer& server, Sandbox& sandbox) {
  const std::string machines = "/v1/apps/{app}/machines";
  const std::string one = machines + "/{id}";
  /// A route about one machine.
  auto machine_route = [&](std::string method, std::string suffix, std::function<Task<Reply>(Machine&, const Request&)> handler) {
    server.route(std::move(method), one + suffix, [&sandbox, handler](const Request& request) -> Task<Reply> {
      const std::shared_ptr<Machine> machine = find(sandbox, request);
      if (!machine) co_return no_machine(request);
      co_return co_await handler(*machine, request);
    });
  };

  server.route("GET", "/v1/apps", [&sandbox](const Request&) -> Task<Reply> {
    json::array apps;
    for (const auto& app : sandbox.apps()) apps.push_back(app_json(sandbox, app));
    const std::size_t total = apps.size();
    co_return Reply::json(json::object{{"total_apps", total}, {"apps", std::move(apps)}});
  });
  server.route("GET", "/v1/apps/{app}", [&sandbox](const Request& request) -> Task<Reply> {
    const project::AppSpec* app = sandbox.find_app(request.params.at("app"));
    if (!app) co_return Reply::error(404, "no app " + request.params.at("app") + " in this sandbox");
    co_return Reply::json(app_json(sandbox, *app));
  });
  server.route("GET", machines, [&sandbox](const Request& request) -> Task<Reply> {
    if (!sandbox.find_app(request.params.at("app"))) co_return Reply::error(404, "no app " + request.params.at("app") + " in this sandbox");
    const std::string region = request.get("region");
    const std::string group = request.get("metadata.fly_process_group");
    json::array list;
    for (const auto& machine : sandbox.machines()) {
      const auto& record = machine->spec().record;
      if (record.app != request.params.at("app") || (!region.empty() && record.region != region) ||
          (!group.empty() && record.process_group != group))
        continue;
      list.push_back(machine_json(sandbox, *machine));
    }
    co_return Reply::json(list);
  });
  machine_route("GET", "", [&sandbox](Machine& m, const Request&) -> Task<Reply> { co_return Reply::json(machine_json(sandbox, m)); });
  machine_route("POST", "/start", [](Machine& m, const Request&) -> Task<Reply> { co_return co_await start_machine(m); });
  machine_route("POST", "/stop", [](Machine& m, const Request& request) -> Task<Reply> {
    auto options = stop_options(request);
    if (!options) co_return Reply::error(400, options.error().message);
    co_await m.stop("user", options->signal, options->timeout);
    co_return ok();
  });
  machine_route("POST", "/restart", [](Machine& m, const Request& request) -> Task<Reply> {
    auto options = stop_options(request);
    if (!options) co_return Reply::error(400, options.error().message);
    co_await m.stop("user", options->signal, options->timeout);
    Reply started = co_await start_machine(m);
    co_return started.status == 200 ? ok() : started;
  });
  machine_route("POST", "/suspend", [&sandbox](Machine& m, const Request&) -> Task<Reply> {
    const config::GroupConfig& group = sandbox.find_app(m.spec().record.app)->groups.at(m.spec().record.process_group).config;
    if (!sandbox::can_be_suspended(group.guest.memory_mb, group.swap_size_mb.value_or(0) > 0))
      co_return Reply::error(412, fmt::format("machine {} cannot be suspended: that takes at most 2 GB of memory and no swap", m.id()));
    auto suspended = co_await m.suspend("user");
    if (!suspended) co_return Reply::error(412, suspended.error().message);
    co_return ok();
  });
  machine_route("POST", "/cordon", [](Machine& m, const Request&) -> Task<Reply> {
    m.set_cordoned(true);
    co_return ok();
  });
  machine_route("POST", "/uncordon", [](Machine& m, const Request&) -> Task<Reply> {
    m.set_cordoned(false);
    co_return ok();
  });
  machine_route("POST", "/signal", [](Machine& m, const Request& request) -> Task<Reply> {
    auto body = request.json_body();
    if (!body) co_return Reply::error(400, body.error().message);
    auto signal = body->contains("signal") ? signal_number(body->at("signal")) : std::nullopt;
    if (!signal) co_return Reply::error(400, "signal: allowed: a signal's name or number");
    if (auto sent = m.signal(*signal); !sent) co_return Reply::error(412, sent.error().message);
    co_return ok();
  });
  machine_route("GET", "/wait", [](Machine& m, const Request& request) -> Task<Reply> { co_return co_await wait_for_state(m, request); });
  machine_route("POST", "/exec", [&sandbox](Machine& m, const Request& request) -> Task<Reply> { co_return co_await exec_in_machine(sandbox, m, request); });
  machine_route("GET", "/ps", [](Machine& m, const Request&) -> Task<Reply> { co_return list_processes(m); });
  machine_route("GET", "/events", [&sandbox](Machine& m, const Request&) -> Task<Reply> {
    co_return Reply::json(machine_json(sandbox, m).at("events"));
  });
  machine_route("GET", "/metadata", [](Machine& m, const Request&) -> Task<Reply> {
    co_return Reply::json(json::object{{"fly_process_group", m.spec().record.process_group}, {"fly_platform_version", "v2"}});
  });
}

}  // namespace flylocal::api
