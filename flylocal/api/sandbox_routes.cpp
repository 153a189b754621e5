#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

#include "flylocal/api/machine_json.hpp"
#include "flylocal/api/routes.hpp"
#include "flylocal/report/examiner.hpp"
#include "flylocal/report/report_json.hpp"

namespace flylocal::api {
namespace {

namespace json = boost::json;
using sandbox::LogLine;
using sandbox::Sandbox;

json::object status_json(Sandbox& sandbox) {
  json::array apps, machines, ports, notes;
  for (const project::AppSpec& app : sandbox.apps()) {
    json::array groups;
    for (const auto& [name, group] : app.groups) groups.push_back(json::string(name));
    apps.push_back({{"name", app.name},
                    {"organization", app.organization},
                    {"network", app.network},
                    {"six_pn_prefix", sandbox.network_of_app(app).link.prefix.to_string() + "/48"},
                    {"directory", app.directory.string()},
                    {"primary_region", app.primary_region},
                    {"process_groups", std::move(groups)}});
  }
  for (const auto& machine : sandbox.machines()) machines.push_back(machine_json(sandbox, *machine));
  for (const sandbox::PublishedPort& port : sandbox.ports()) {
    json::array names, behind, handlers;
    if (port.handlers.tls) handlers.push_back("tls");
    if (port.handlers.pg_tls) handlers.push_back("pg_tls");
    if (port.handlers.http) handlers.push_back("http");
    if (port.handlers.proxy_protocol) handlers.push_back("proxy_proto");
    for (const auto& backend : port.backends) {
      behind.push_back({{"app", backend.app}, {"process_group", backend.process_group}, {"internal_port", backend.internal_port}, {"url", port.url(backend.app)}});
      if (port.handlers.http) names.push_back(json::string(port.url(backend.app)));
    }
    ports.push_back({{"external_port", port.external_port},
                     {"host_port", port.host_port},
                     {"handlers", std::move(handlers)},
                     {"urls", std::move(names)},
                     {"edge_region", port.edge_region.empty() ? sandbox.edge_region() : port.edge_region},
                     {"backends", std::move(behind)}});
  }
  for (const std::string& note : sandbox.notes()) notes.push_back(json::string(note));
  const proxy::Stats stats = sandbox.proxy().stats();
  return {{"pid", ::getpid()},
          {"apps", std::move(apps)},
          {"machines", std::move(machines)},
          {"ports", std::move(ports)},
          {"notes", std::move(notes)},
          {"proxy", {{"requests", stats.requests}, {"clients_now", stats.clients_now}, {"upstream_idle", stats.upstream_idle}}},
          {"dns", {{"queries", sandbox.dns().statistics().queries.load()}}}};
}

json::object line_json(const LogLine& line) {
  return {{"timestamp", std::chrono::duration_cast<std::chrono::milliseconds>(line.at.time_since_epoch()).count()},
          {"app", line.app},
          {"machine", line.machine},
          {"region", line.region},
          {"source", line.source == LogLine::Source::kApp ? "app" : "runner"},
          {"message", line.text}};
}

Task<> stream_logs(Sandbox& sandbox, const Request& request, Stream& stream) {
  const std::string app = request.get("app"), machine = request.get("machine");
  const bool follow = request.get("follow") == "1";
  auto& logs = sandbox.logs();
  constexpr std::size_t kChunk = 64 * 1024;
  std::uint64_t next = logs.begin();
  const bool accepted = co_await stream.accept();
  if (!accepted) co_return;
  for (;;) {
    // Lines may have been dropped while a slow client was written to.
    next = std::max(next, logs.begin());
    std::string chunk;
    for (; next < logs.end() && chunk.size() < kChunk; ++next) {
      const LogLine& line = logs.at(next);
      if ((!app.empty() && line.app != app) || (!machine.empty() && !line.machine.starts_with(machine))) continue;
      chunk += json::serialize(line_json(line)) + "\n";
    }
    const bool written = co_await stream.write(chunk);
    if (!written) co_return;
    if (next < logs.end()) continue;
    if (!follow || logs.is_closed()) co_return;
    // A client that goes away says so by the end of what it sends.
    using namespace asio::experimental::awaitable_operators;
    auto woken = co_await (logs.wait_for(next) || stream.read());
    if (woken.index() == 1) co_return;
  }
}

Task<Reply> scale(Sandbox& sandbox, const Request& request) {
  auto body = request.json_body();
  if (!body) co_return Reply::error(400, body.error().message);
  auto text = [&](const char* key) {
    const json::value* value = body->if_contains(key);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const json::value* count = body->if_contains("count");
  constexpr int kMostMachines = 1000;
  if (!count || !count->is_int64() || count->get_int64() < 0 || count->get_int64() > kMostMachines)
    co_return Reply::error(400, fmt::format("count: allowed: 0 to {}", kMostMachines));
  auto done = co_await sandbox.scale(text("app"), text("process_group"), text("region"), static_cast<int>(count->get_int64()));
  if (!done) co_return Reply::error(400, done.error().message);
  co_return Reply::json(json::object{{"ok", true}});
}

Task<Reply> tick(Sandbox& sandbox) {
  const std::vector<Sandbox::Autostopped> passed = co_await sandbox.autostop_pass();
  json::array stopped;
  for (const Sandbox::Autostopped& one : passed)
    stopped.push_back({{"app", one.app},
                       {"machine", one.choice.machine_id},
                       {"region", one.choice.region},
                       {"action", one.choice.action == config::AutoStop::kSuspend ? "suspend" : "stop"},
                       {"left_running", one.choice.left_running},
                       {"of_machines", one.choice.of_machines},
                       {"done", one.done}});
  co_return Reply::json(json::object{{"autostopped", std::move(stopped)}});
}

}  // namespace

void add_sandbox_routes(ControlServer& server, Sandbox& sandbox, std::function<void()> request_shutdown) {
  server.route("GET", "/flylocal/v1/status", [&sandbox](const Request&) -> Task<Reply> { co_return Reply::json(status_json(sandbox)); });
  server.route("GET", "/flylocal/v1/report", [&sandbox](const Request& request) -> Task<Reply> {
    auto duration = [&](const char* key) -> std::optional<std::chrono::milliseconds> {
      const std::string text = request.get(key);
      if (text.empty()) return std::nullopt;
      return std::chrono::milliseconds(std::strtoul(text.c_str(), nullptr, 10));
    };
    report::ExaminationOptions options;
    options.time_limit = duration("timeout_ms");
    options.settle = duration("settle_ms").value_or(options.settle);
    options.http_probe = request.get("http_probe") != "0";
    const report::Report made = co_await report::make_report(sandbox, options, {});
    co_return Reply::json(report::to_json(made));
  });
  server.route("POST", "/flylocal/v1/scale", [&sandbox](const Request& request) -> Task<Reply> { co_return co_await scale(sandbox, request); });
  server.route("POST", "/flylocal/v1/tick", [&sandbox](const Request&) -> Task<Reply> { co_return co_await tick(sandbox); });
  server.route("POST", "/flylocal/v1/shutdown", [request_shutdown](const Request&) -> Task<Reply> {
    request_shutdown();
    co_return Reply::json(json::object{{"ok", true}});
  });
  add_dns_routes(server, sandbox);
  server.stream("GET", "/flylocal/v1/logs", [&sandbox](const Request& request, Stream& stream) -> Task<> { co_await stream_logs(sandbox, request, stream); });
}

}  // namespace flylocal::api
