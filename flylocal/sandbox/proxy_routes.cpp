#include "flylocal/sandbox/proxy_routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "flylocal/platform/regions.hpp"

namespace flylocal::sandbox {
namespace {

constexpr std::uint16_t kHttpsPort = 443;

/// A machine that takes traffic on a port, in the proxy's terms.
proxy::Upstream upstream_of(Machine& machine, std::uint16_t internal_port) {
  const MachineSpec& spec = machine.spec();
  proxy::Upstream upstream;
  upstream.machine_id = spec.record.id;
  upstream.region = spec.record.region;
  upstream.source = spec.address.proxy_source();
  upstream.endpoint = {spec.address.private_ipv4, internal_port};
  if (const auto finding = machine.findings().find(internal_port); finding != machine.findings().end()) upstream.finding = finding->second;
  upstream.healthy = machine.checks().is_healthy(internal_port);
  upstream.cordoned = machine.is_cordoned() || machine.is_draining() || machine.is_closing();
  upstream.load = machine.load(internal_port);
  return upstream;
}

/// Asleep is one that was told to stop, or ended well by itself, from the moment it stops until it runs again. One that
/// failed would fail again, which says less than what is known of it now.
bool may_be_woken(const Machine& machine) {
  const bool is_asleep = machine.state() != MachineState::kCreated && machine.state() != MachineState::kFailed && !machine.has_crashed();
  return is_asleep && !machine.is_cordoned() && !machine.is_closing();
}

std::string reason_of_absence(const Machine& machine) {
  const store::MachineRecord& record = machine.spec().record;
  std::string why = fmt::format("machine {} ({}) is {}", record.id, record.region, name(machine.state()));
  if (!machine.failure().empty()) why += ": " + machine.failure();
  else if (machine.last_exit() && !machine.is_suspended()) why += fmt::format(": its main process exited with code {}", machine.last_exit()->exit_code);
  return why;
}

proxy::Concurrency concurrency_of(const config::Concurrency& configured) {
  proxy::Concurrency concurrency;
  concurrency.type = configured.type == config::ConcurrencyType::kRequests ? proxy::ConcurrencyType::requests : proxy::ConcurrencyType::connections;
  concurrency.soft_limit = static_cast<std::uint32_t>(configured.soft_limit);
  if (configured.hard_limit) concurrency.hard_limit = static_cast<std::uint32_t>(*configured.hard_limit);
  return concurrency;
}

class Routes {
 public:
  explicit Routes(const ProxyFacts& facts) : facts_(facts) { routing_->distances = facts.distances; }

  void add(const PublishedPort& port);
  void add(const EdgePort& port);
  std::shared_ptr<const proxy::RoutingSnapshot> take() { return std::move(routing_); }

 private:
  const project::AppSpec& app(const std::string& name) const {
    return *std::find_if(facts_.apps->begin(), facts_.apps->end(), [&](const auto& one) { return one.name == name; });
  }
  proxy::ServiceIndex service_of(const PublishedPort::Backend& backend);
  std::uint16_t https_port_of(const std::string& app) const;
  void add_backend(proxy::PublishedPort& port, const PublishedPort::Backend& backend, std::uint16_t https_port);

  const ProxyFacts& facts_;
  std::shared_ptr<proxy::RoutingSnapshot> routing_ = std::make_shared<proxy::RoutingSnapshot>();
  std::map<std::pair<const project::GroupSpec*, std::uint16_t>, proxy::ServiceIndex> known_;
};

proxy::ServiceIndex Routes::service_of(const PublishedPort::Backend& backend) {
  const project::GroupSpec& group = app(backend.app).groups.at(backend.process_group);
  const auto [entry, is_new] = known_.try_emplace({&group, backend.internal_port}, static_cast<proxy::ServiceIndex>(routing_->services.size()));
  if (!is_new) return entry->second;
  proxy::Service& service = routing_->services.emplace_back();
  service.app = backend.app;
  service.group = backend.process_group;
  service.internal_port = backend.internal_port;
  bool starts_by_requests = false;
  for (const config::Service& configured : group.config.services) {
    if (configured.internal_port != backend.internal_port) continue;
    // platform facts 4.9: on where the file does not say
    starts_by_requests = configured.auto_start_machines.value_or(true);
    service.concurrency = concurrency_of(configured.concurrency);
    break;
  }
  for (const auto& machine : *facts_.machines) {
    const store::MachineRecord& record = machine->spec().record;
    if (record.app != backend.app || record.process_group != backend.process_group) continue;
    if (machine->is_started()) {
      service.upstreams.push_back(upstream_of(*machine, backend.internal_port));
      continue;
    }
    if (starts_by_requests && may_be_woken(*machine))
      service.sleepers.push_back({record.id, record.region, machine->is_suspended(), machine->ended_starts()});
    service.absent.push_back(reason_of_absence(*machine));
  }
  return entry->second;
}

/// Where the host's clients of an app find it with TLS.
std::uint16_t Routes::https_port_of(const std::string& app) const {
  for (const PublishedPort& port : *facts_.ports)
    if (port.handlers.http && port.handlers.tls &&
        std::any_of(port.backends.begin(), port.backends.end(), [&](const auto& backend) { return backend.app == app; }))
      return port.host_port;
  return kHttpsPort;
}

void Routes::add_backend(proxy::PublishedPort& port, const PublishedPort::Backend& backend, std::uint16_t https_port) {
  const auto index = static_cast<proxy::BackendIndex>(port.backends.size());
  port.backends.push_back({service_of(backend), backend.tls, backend.http, https_port});
  for (const std::string& host : host_names(app(backend.app))) port.routes.emplace(host, index);
}

void Routes::add(const PublishedPort& port) {
  proxy::PublishedPort& out = routing_->ports.emplace_back();
  out.id = port.id;
  out.external_port = port.external_port;
  out.edge_region = port.edge_region;
  out.handlers = port.handlers;
  for (const PublishedPort::Backend& backend : port.backends) add_backend(out, backend, https_port_of(backend.app));
  if (port.backends.size() == 1) out.default_backend = 0;
}

/// The address tells the app, so that the host name may be any.
void Routes::add(const EdgePort& port) {
  proxy::PublishedPort& out = routing_->ports.emplace_back();
  out.id = port.id;
  out.external_port = port.offered.external_port;
  out.handlers = port.offered.handlers;
  add_backend(out, port.offered.backend, kHttpsPort);
  out.default_backend = 0;
}

}  // namespace

std::shared_ptr<const proxy::RoutingSnapshot> proxy_routes(const ProxyFacts& facts) {
  Routes routes(facts);
  for (const PublishedPort& port : *facts.ports) routes.add(port);
  for (const EdgePort& port : *facts.edge_ports) routes.add(port);
  return routes.take();
}

std::shared_ptr<const proxy::RegionDistances> region_distances() {
  auto distances = std::make_shared<proxy::RegionDistances>();
  for (const platform::Region& from : platform::regions())
    for (const platform::Region& to : platform::regions())
      (*distances)[std::string(from.code)].emplace(to.code, static_cast<std::uint32_t>(*platform::distance_km(from.code, to.code)));
  return distances;
}

}  // namespace flylocal::sandbox
