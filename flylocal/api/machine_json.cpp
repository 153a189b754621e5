#include "flylocal/api/machine_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>

namespace flylocal::api {
namespace {

namespace json = boost::json;
constexpr int kEventsShown = 20;

json::object config_json(const sandbox::Machine& machine, const project::GroupSpec& group) {
  const auto& spec = machine.spec();
  json::object env;
  for (const std::string& variable : spec.guest.program.env) {
    const std::size_t equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    // Secrets must not leave the machine by way of its description; the platform does not show them either.
    if (group.config.env.contains(name) || name.starts_with("FLY_") || name == "PRIMARY_REGION")
      env[name] = variable.substr(equals + 1);
  }
  json::array services, mounts, command;
  for (const config::Service& service : group.config.services) {
    json::array ports;
    for (const config::ServicePort& port : service.ports) {
      json::array handlers;
      for (config::Handler handler : port.handlers) handlers.push_back(json::string(config::name(handler)));
      ports.push_back({{"start_port", port.range.first}, {"end_port", port.range.last}, {"handlers", std::move(handlers)}});
    }
    services.push_back({{"protocol", service.protocol ? config::name(*service.protocol) : "tcp"},
                        {"internal_port", service.internal_port},
                        {"ports", std::move(ports)}});
  }
  for (const netns::BindMount& bind : spec.guest.binds) mounts.push_back({{"path", bind.destination}, {"volume", bind.source}});
  for (const std::string& word : spec.guest.program.argv) command.push_back(json::string(word));
  return {{"env", std::move(env)},
          {"init", {{"exec", std::move(command)}}},
          {"guest",
           {{"cpu_kind", group.config.guest.cpu_kind}, {"cpus", group.config.guest.cpus}, {"memory_mb", group.config.guest.memory_mb}}},
          {"metadata", {{"fly_process_group", spec.record.process_group}, {"fly_platform_version", "v2"}}},
          {"mounts", std::move(mounts)},
          {"services", std::move(services)},
          {"restart", {{"policy", spec.restart.policy == config::RestartPolicy::kNever ? "no" : config::name(spec.restart.policy)}}}};
}

json::array events_json(sandbox::Sandbox& sandbox, const sandbox::Machine& machine) {
  json::array events;
  auto records = sandbox.store().events(machine.id(), kEventsShown);
  if (!records) return events;
  for (const store::EventRecord& event : *records) {
    json::object one{{"type", event.type}, {"status", event.status}, {"source", event.source},
                     {"timestamp", std::chrono::duration_cast<std::chrono::milliseconds>(event.at.time_since_epoch()).count()}};
    if (!event.detail.empty()) one["detail"] = event.detail;
    if (event.type == "exit") {
      json::object exit;
      if (const auto& last = machine.last_exit())
        exit = {{"exit_code", last->exit_code}, {"guest_exit_code", last->exit_code}, {"guest_signal", last->signal.value_or(0)},
                {"oom_killed", false}, {"requested_stop", last->requested_stop}, {"exited_at", rfc3339(last->at)}};
      one["request"] = {{"exit_event", std::move(exit)}};
    }
    events.push_back(std::move(one));
  }
  return events;
}

}  // namespace

std::string rfc3339(std::chrono::system_clock::time_point at) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(at)));
}

json::array checks_json(const sandbox::Machine& machine) {
  json::array checks;
  for (const sandbox::HealthChecks::Check& check : machine.checks().all())
    checks.push_back({{"name", check.spec.name},
                      {"status", name(check.record.status())},
                      {"output", check.record.output()},
                      {"updated_at", rfc3339(check.record.updated_at())},
                      {"port", check.spec.port},
                      {"decides_routing", check.spec.of_service}});
  return checks;
}

json::object machine_json(sandbox::Sandbox& sandbox, const sandbox::Machine& machine) {
  const auto& spec = machine.spec();
  json::array load;
  for (const auto& [port, one] : machine.loads())
    load.push_back({{"internal_port", port}, {"current", one->current.load()}, {"total", one->total.load()}, {"failures", one->failures.load()}});
  const project::GroupSpec& group = sandbox.find_app(spec.record.app)->groups.at(spec.record.process_group);
  json::object result{{"id", machine.id()},
                      {"name", fmt::format("{}-{}-{}", spec.record.process_group, spec.record.region, spec.record.ordinal)},
                      {"app", spec.record.app},
                      {"process_group", spec.record.process_group},
                      {"state", name(machine.state())},
                      {"region", spec.record.region},
                      {"instance_id", spec.instance_id},
                      {"version", spec.instance_id},
                      {"private_ip", spec.record.six_pn.to_string()},
                      {"private_ipv4", spec.address.private_ipv4.to_string()},
                      {"created_at", rfc3339(spec.record.created_at)},
                      {"updated_at", rfc3339(machine.updated_at())},
                      {"host_status", "ok"},
                      {"restart_count", machine.restart_count()},
                      {"config", config_json(machine, group)},
                      {"cordoned", machine.is_cordoned()},
                      {"checks", checks_json(machine)},
                      {"load", std::move(load)},
                      {"events", events_json(sandbox, machine)}};
  if (!machine.failure().empty()) result["failure"] = machine.failure();
  if (const auto& exit = machine.last_exit()) result["last_exit_code"] = exit->exit_code;
  return result;
}

}  // namespace flylocal::api
