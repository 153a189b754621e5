#include "flylocal/sandbox/sandbox.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <future>

#include "flylocal/platform/identifiers.hpp"
#include "flylocal/platform/regions.hpp"
#include "flylocal/sandbox/dns_world.hpp"
#include "flylocal/sandbox/guest_view.hpp"
#include "flylocal/sandbox/proxy_routes.hpp"
#include "netns/sockets.hpp"

namespace flylocal::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kDnsPort = 53;
constexpr auto kProxyGrace = 1s;
// How long a machine that autostop has chosen may go on with what it has, after it gets nothing new.
constexpr auto kDrainPatience = 5s;
constexpr auto kDrainPace = 20ms;

/// Awaits `task` on another thread's io_context from outside of any coroutine.
void run_blocking(WorkerThread& thread, Task<> task) {
  asio::co_spawn(thread.executor(), std::move(task), asio::use_future).get();
}

/// Holds the machine: a call to scale() may take it out of the sandbox while it starts.
Task<> start_machine(std::shared_ptr<Machine> machine) { (void)co_await machine->start("user"); }

std::uint32_t load_of(const Machine& machine) {
  std::uint32_t load = 0;
  for (const auto& [port, one] : machine.loads()) load += one->current.load(std::memory_order_relaxed);
  return load;
}

}  // namespace

Sandbox::Sandbox(Executor main, store::Store store, std::vector<project::AppSpec> apps)
    : executor_(main), store_(std::move(store)), apps_(std::move(apps)), logs_(main), changed_(main), world_{main, nullptr, nullptr, nullptr, nullptr, {}}, tasks_(main) {}

Sandbox::~Sandbox() {
  if (servers_ended_) return;
  // After a failed create() the servers may run with nobody to await their end.
  if (proxy_) run_blocking(*proxy_threads_.front(), proxy_->shutdown(0ms));
  if (dns_) run_blocking(*dns_thread_, dns_->shutdown());
}

Result<std::unique_ptr<Sandbox>> Sandbox::create(Executor main, const netns::Privilege& privilege, store::Store store,
                                                 std::vector<project::AppSpec> apps, Options options) {
  std::unique_ptr<Sandbox> sandbox(new Sandbox(main, std::move(store), std::move(apps)));
  sandbox->privilege_ = &privilege;
  sandbox->answer_order_ = options.answer_order;
  sandbox->reverse_names_ = options.reverse_names;
  sandbox->http_checks_ = options.http_checks;
  sandbox->edge_region_ = options.edge_region;
  sandbox->autostop_interval_ = options.autostop_interval;
  sandbox->distances_ = region_distances();
  sandbox->know_region(sandbox->edge_region());
  if (auto done = sandbox->start_threads(options); !done) return done.error();
  sandbox->world_ = {main,
                     sandbox->backbone_thread_.get(),
                     &*sandbox->backbone_,
                     &sandbox->logs_,
                     &sandbox->store_,
                     [raw = sandbox.get()] { raw->publish_soon(); }};
  if (auto done = sandbox->open_networks(); !done) return done.error();
  for (const project::AppSpec& app : sandbox->apps_)
    for (const auto& [name, group] : app.groups)
      for (const project::Placement& placement : group.placements)
        for (int ordinal = 0; ordinal < placement.count; ++ordinal)
          if (auto added = sandbox->add_machine(app, group, placement.region, ordinal); !added) return added.error();
  if (auto done = sandbox->publish_ports(options.host_ports); !done) return done.error();
  if (auto done = sandbox->open_edge(); !done) return done.error();
  sandbox->publish();
  return sandbox;
}

Result<> Sandbox::start_threads(const Options& options) {
  auto backbone = WorkerThread::start("backbone", [this]() -> Result<> {
    auto made = netns::Backbone::create();
    if (!made) return made.error();
    backbone_.emplace(std::move(*made));
    // Where the kernel has no packet sockets, the report only knows less.
    auto watch = netns::RefusalWatch::open();
    if (watch) refusal_watch_.emplace(std::move(*watch));
    else spdlog::debug("refused connections are not seen: {}", watch.error().message);
    return {};
  });
  if (!backbone) return backbone.error();
  backbone_thread_ = std::move(*backbone);
  auto inside = [this]() { return backbone_->network_namespace().enter(); };
  std::vector<Executor> proxy_executors;
  for (std::size_t i = 0; i < options.proxy_threads; ++i) {
    auto proxy = WorkerThread::start(i == 0 ? "proxy" : fmt::format("proxy-{}", i + 1), inside);
    if (!proxy) return proxy.error();
    proxy_executors.push_back((*proxy)->executor());
    proxy_threads_.push_back(std::move(*proxy));
  }
  auto dns = WorkerThread::start("dns", inside);
  if (!dns) return dns.error();
  dns_thread_ = std::move(*dns);

  // The forwarder's sockets must be the host's, so it runs on the main thread.
  upstream_resolvers_ = options.upstream_resolvers;
  forwarder_ = std::make_unique<dns::Forwarder>(executor_, upstream_resolvers_);
  dns::ServerOptions dns_options;
  dns_options.responder.server_name = "flylocal " + options.version;
  dns_ = std::make_unique<dns::Server>(dns_thread_->executor(), *forwarder_, dns_options);
  proxy::Options proxy_options;
  proxy_options.edge_region = edge_region();
  proxy_options.server = fmt::format("Fly/flylocal ({})", options.version);
  proxy_options.tls = options.authority;
  proxy_options.on_wake = [this](std::string_view id) {
    asio::post(executor_, [this, machine_id = std::string(id)] { wake(machine_id); });
  };
  proxy_options.faithful_errors = options.faithful_errors;
  proxy_ = std::make_unique<proxy::Proxy>(proxy_executors, proxy_options);
  return {};
}

Result<> Sandbox::open_networks() {
  for (const project::AppSpec& app : apps_) {
    const std::pair key(app.organization, app.network);
    if (networks_.contains(key)) continue;
    auto number = store_.network(app.organization, app.network);
    if (!number) return number.error();
    SandboxNetwork network{app.organization, app.network, *number, {}, nullptr};
    network.link.bridge = fmt::format("br{}", networks_.size());
    network.link.prefix = platform::network_prefix(*number);
    const std::string peer_veth = fmt::format("peer{}", networks_.size());
    auto opened = backbone_thread_->run([&]() -> Result<> {
      if (auto done = backbone_->add_network(network.link); !done) return done;
      auto peer = netns::NetworkNamespace::create();
      if (!peer) return peer.error();
      network.peer = std::make_unique<netns::NetworkNamespace>(std::move(*peer));
      if (auto done = backbone_->attach_peer(network.link, peer_veth, platform::peer_address(*number), *network.peer); !done)
        return done;
      return serve_dns(network);
    });
    if (auto done = asio::co_spawn(backbone_thread_->executor(), std::move(opened), asio::use_future).get(); !done) return done;
    network_numbers_.emplace(key, *number);
    networks_.emplace(key, std::move(network));
  }
  addresses_ = app_addresses(apps_, network_numbers_);
  return {};
}

Result<> Sandbox::serve_dns(const SandboxNetwork& network) {
  for (const asio::ip::address_v6& address : {netns::resolver_address(), network.link.edge_address()}) {
    auto udp = netns::bind_udp({address, kDnsPort}, network.link.bridge);
    if (!udp) return udp.error();
    auto tcp = netns::listen_tcp({address, kDnsPort}, network.link.bridge);
    if (!tcp) return tcp.error();
    if (auto added = dns_->add_network(static_cast<dns::NetworkId>(network.number), std::move(*udp), std::move(*tcp)); !added)
      return added;
  }
  return {};
}

Result<> Sandbox::publish_ports(HostPorts host_ports) {
  auto plan = open_ports(apps_, host_ports);
  if (!plan) return plan.error();
  ports_ = std::move(plan->ports);
  notes_.insert(notes_.end(), plan->notes.begin(), plan->notes.end());
  for (PublishedPort& port : ports_)
    for (UniqueFd& listener : port.listeners) proxy_->listen(port.id, std::move(listener));
  return {};
}

Result<> Sandbox::open_edge() {
  std::vector<UniqueFd> listeners;
  std::vector<proxy::ListenerId> ids;
  auto opened = backbone_thread_->run([&]() -> Result<> {
    for (const project::AppSpec& app : apps_) {
      const AppAddresses& of_app = addresses_of(app);
      std::vector<asio::ip::address> addresses;
      if (of_app.public_ipv4) addresses.emplace_back(*of_app.public_ipv4);
      if (of_app.public_ipv6) addresses.emplace_back(*of_app.public_ipv6);
      for (const asio::ip::address& address : addresses)
        if (auto done = backbone_->add_public_address(address); !done) return done;
      if (addresses.empty()) continue;
      for (OfferedPort& offered : offered_ports(app).ports) {
        const auto id = static_cast<proxy::ListenerId>(ports_.size() + edge_ports_.size() + 1);
        for (const asio::ip::address& address : addresses) {
          auto listener = netns::listen_tcp({address, offered.external_port});
          if (!listener) return listener.error();
          listeners.push_back(std::move(*listener));
          ids.push_back(id);
        }
        edge_ports_.push_back({id, std::move(offered)});
      }
    }
    return {};
  });
  if (auto done = asio::co_spawn(backbone_thread_->executor(), std::move(opened), asio::use_future).get(); !done) return done;
  for (std::size_t i = 0; i < listeners.size(); ++i) proxy_->listen(ids[i], std::move(listeners[i]));
  return {};
}

Result<std::shared_ptr<Machine>> Sandbox::add_machine(const project::AppSpec& app, const project::GroupSpec& group,
                                      const std::string& region, int ordinal) {
  const SandboxNetwork& network = network_of_app(app);
  know_region(region);
  auto record = store_.machine(app.name, group.config.group, region, ordinal, network.number);
  if (!record) return record.error();

  MachineSpec spec;
  spec.record = *record;
  spec.network = network.link;
  spec.address = {"m" + record->id, platform::private_ipv4(record->ipv4_block), record->six_pn};
  spec.restart = group.config.restart;
  spec.kill_signal = static_cast<int>(group.config.kill_signal);
  spec.kill_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(group.config.kill_timeout);
  spec.instance_id = platform::new_ulid(std::chrono::system_clock::now());

  spec.checks = checks_of(group.config);
  if (!http_checks_)
    for (CheckSpec& check : spec.checks) check.type = config::CheckType::kTcp;

  const RunUser user = find_run_user(group.launch.user, *privilege_);
  if (!user.note.empty()) {
    std::string note = fmt::format("{}: {}", app.name, user.note);
    if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) notes_.push_back(std::move(note));
  }
  spec.guest.hostname = record->id;
  spec.guest.files = guest_files(*record, spec.address);
  if (group.config.mount) {
    auto volume = store_.volume(*record, group.config.mount->source);
    if (!volume) return volume.error();
    // As the platform's init does; where the ids cannot be had, find_run_user() has said so.
    if (user.user && ::chown(volume->directory.c_str(), user.user->uid, user.user->gid) != 0)
      return system_error("give the volume " + volume->directory.string() + " to the program's user", errno);
    spec.guest.binds.push_back({volume->directory, group.config.mount->destination});
  }
  spec.guest.program.argv = group.launch.argv;
  spec.guest.program.path = group.launch.program;
  spec.guest.program.env = guest_environment(app, group, *record, spec.instance_id, user.home);
  spec.guest.program.working_directory = group.launch.working_directory;
  spec.guest.program.user = user.user;
  return machines_.emplace_back(std::make_shared<Machine>(std::move(spec), world_));
}

const project::AppSpec* Sandbox::find_app(std::string_view name) const {
  auto found = std::find_if(apps_.begin(), apps_.end(), [&](auto& app) { return app.name == name; });
  return found == apps_.end() ? nullptr : &*found;
}

std::shared_ptr<Machine> Sandbox::find_machine(std::string_view id) {
  std::shared_ptr<Machine> found;
  for (const auto& machine : machines_) {
    if (machine->id() == id) return machine;
    if (id.empty() || !machine->id().starts_with(id)) continue;
    if (found) return nullptr;
    found = machine;
  }
  return found;
}

std::vector<std::shared_ptr<Machine>> Sandbox::machines_of(std::string_view app, std::string_view process_group) {
  std::vector<std::shared_ptr<Machine>> result;
  for (const auto& machine : machines_)
    if (machine->spec().record.app == app && machine->spec().record.process_group == process_group)
      result.push_back(machine);
  return result;
}

const SandboxNetwork& Sandbox::network_of_app(const project::AppSpec& app) const {
  return networks_.at({app.organization, app.network});
}

const SandboxNetwork& Sandbox::network_of(const Machine& machine) const {
  return network_of_app(*find_app(machine.spec().record.app));
}

Task<> Sandbox::start_machines() {
  TaskGroup starting(executor_);
  for (const auto& machine : machines_) starting.spawn("start of machine " + machine->id(), start_machine(machine));
  co_await starting.wait();
  const bool stops_any = std::any_of(apps_.begin(), apps_.end(), [](const project::AppSpec& app) {
    return std::any_of(app.groups.begin(), app.groups.end(),
                       [](const auto& group) { return autostop_action(group.second.config.services) != config::AutoStop::kOff; });
  });
  if (stops_any && autostop_interval_ > 0ms && !closing_) tasks_.spawn("autostop", stop_machines_at_intervals());
}

Task<> Sandbox::stop_machines_at_intervals() {
  for (;;) {
    Timer timer(executor_, autostop_interval_);
    co_await timer.async_wait(use_task);
    (void)co_await autostop_pass();
  }
}

void Sandbox::wake(const std::string& machine_id) {
  auto machine = find_machine(machine_id);
  if (closing_ || !machine || machine->is_cordoned()) return;
  auto start = [](std::shared_ptr<Machine> sleeper) -> Task<> { (void)co_await sleeper->start("proxy"); };
  tasks_.spawn("wake of machine " + machine_id, start(machine));
}

std::vector<AutostopMachine> Sandbox::autostop_machines(const project::AppSpec& app) const {
  std::vector<AutostopMachine> result;
  for (const auto& machine : machines_) {
    const store::MachineRecord& record = machine->spec().record;
    if (record.app != app.name) continue;
    const config::GroupConfig& group = app.groups.at(record.process_group).config;
    AutostopMachine& one = result.emplace_back();
    one.id = record.id;
    one.process_group = record.process_group;
    one.region = record.region;
    one.is_running = machine->is_started() && !machine->is_cordoned() && !machine->is_draining() && !machine->is_closing();
    one.action = autostop_action(group.services);
    if (one.action == config::AutoStop::kSuspend && !can_be_suspended(group.guest.memory_mb, group.swap_size_mb.value_or(0) > 0))
      one.action = config::AutoStop::kStop;
    one.load = load_of(*machine);
    for (const config::Service& service : group.services) {
      one.min_running = std::max(one.min_running, service.min_machines_running);
      const auto load = machine->loads().find(service.internal_port);
      one.is_over_soft |= load != machine->loads().end() &&
                          load->second->current.load(std::memory_order_relaxed) >= static_cast<std::uint32_t>(service.concurrency.soft_limit);
    }
  }
  return result;
}

Task<std::vector<Sandbox::Autostopped>> Sandbox::autostop_pass() {
  while (autostop_under_way_) co_await changed_.wait();
  struct UnderWay {
    explicit UnderWay(Sandbox& of) : sandbox(of) { sandbox.autostop_under_way_ = true; }
    UnderWay(const UnderWay&) = delete;
    ~UnderWay() {
      sandbox.autostop_under_way_ = false;
      sandbox.changed_.notify_all();
    }
    Sandbox& sandbox;
  } under_way(*this);

  std::vector<Autostopped> stopped;
  for (const project::AppSpec& app : apps_)
    for (AutostopChoice& choice : autostop_choice(autostop_machines(app), app.primary_region))
      stopped.push_back({std::move(choice), app.name, false});
  TaskGroup stopping(executor_);
  auto rest = [](Sandbox& self, std::shared_ptr<Machine> machine, Autostopped& one) -> Task<> {
    one.done = co_await self.put_to_rest(std::move(machine), one.choice);
  };
  for (Autostopped& one : stopped)
    if (auto machine = find_machine(one.choice.machine_id)) stopping.spawn("autostop of machine " + one.choice.machine_id, rest(*this, machine, one));
  co_await stopping.wait();
  co_return stopped;
}

/// First the proxy forgets the machine, so that no request is on its way to it when it stops. False: it is needed after all.
Task<bool> Sandbox::put_to_rest(std::shared_ptr<Machine> machine, AutostopChoice choice) {
  struct Draining {
    explicit Draining(Machine& of) : machine(of) { machine.set_draining(true); }
    Draining(const Draining&) = delete;
    ~Draining() { machine.set_draining(false); }
    Machine& machine;
  } draining(*machine);
  // A request that has chosen the machine before is in its load afterwards.
  publish();
  if (choice.must_be_idle && load_of(*machine) > 0) co_return false;
  proxy_->announce_leave(machine->id());
  const auto deadline = std::chrono::steady_clock::now() + kDrainPatience;
  while (load_of(*machine) > 0 && !closing_ && machine->is_started() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(kDrainPace);
  if (closing_ || !machine->is_started()) co_return false;
  machine->log(fmt::format("autostop: more capacity than needed, {} this machine; {} of {} left running in {}",
                           choice.action == config::AutoStop::kSuspend ? "suspending" : "stopping", choice.left_running, choice.of_machines,
                           choice.region));
  if (choice.action == config::AutoStop::kSuspend) {
    auto suspended = co_await machine->suspend("proxy");
    if (suspended || !machine->is_started()) co_return suspended.has_value();
    machine->log("could not be suspended: " + suspended.error().message);
  }
  co_await machine->stop("proxy");
  co_return true;
}

Task<Result<>> Sandbox::scale(std::string app_name, std::string process_group, std::string region, int count) {
  const project::AppSpec* app = find_app(app_name);
  if (closing_) co_return Error{"the sandbox is stopping"};
  if (!app) co_return Error{fmt::format("no app {} in this sandbox", app_name)};
  auto group = app->groups.find(process_group);
  if (group == app->groups.end()) co_return Error{fmt::format("app {} has no process group {}", app_name, process_group)};
  if (region.empty()) region = app->primary_region;
  const bool is_region = region.size() == 3 && std::all_of(region.begin(), region.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!is_region) co_return Error{fmt::format("region: found {:?}, allowed: three lower-case letters, e.g. ams", region)};

  // One that is being removed keeps its id, and its place among the ordinals, until it is gone.
  auto is_leaving = [&](const std::shared_ptr<Machine>& m) { return m->is_closing() && m->spec().record.app == app_name; };
  while (!closing_ && std::any_of(machines_.begin(), machines_.end(), is_leaving)) co_await changed_.wait();
  if (closing_) co_return Error{"the sandbox is stopping"};

  std::vector<std::shared_ptr<Machine>> surplus;
  std::vector<bool> present(static_cast<std::size_t>(count), false);
  for (const auto& machine : machines_of(app_name, process_group)) {
    if (machine->spec().record.region != region) continue;
    if (machine->spec().record.ordinal >= count) surplus.push_back(machine);
    else present[static_cast<std::size_t>(machine->spec().record.ordinal)] = true;
  }
  TaskGroup changes(executor_);
  auto remove = [](Sandbox& self, std::shared_ptr<Machine> machine) -> Task<> { co_await self.remove_machine(machine); };
  for (const auto& machine : surplus) changes.spawn("removal of machine " + machine->id(), remove(*this, machine));
  Result<> outcome;
  for (int ordinal = 0; ordinal < count && outcome; ++ordinal) {
    if (present[static_cast<std::size_t>(ordinal)]) continue;
    auto added = add_machine(*app, group->second, region, ordinal);
    if (!added) outcome = added.error();
    else changes.spawn("start of machine " + (*added)->id(), start_machine(*added));
  }
  co_await changes.wait();
  co_return outcome;
}

Task<> Sandbox::remove_machine(std::shared_ptr<Machine> machine) {
  co_await machine->shutdown();
  std::erase(machines_, machine);
  publish_soon();
}

Task<> Sandbox::shutdown() {
  closing_ = true;
  TaskGroup stopping(executor_);
  auto stop = [](std::shared_ptr<Machine> machine) -> Task<> { co_await machine->shutdown(); };
  tasks_.cancel();
  for (const auto& machine : machines_) stopping.spawn("stop of machine " + machine->id(), stop(machine));
  co_await stopping.wait();
  co_await tasks_.wait();
  logs_.close();
  // The objects stay: until the control socket is closed, somebody may ask for their figures.
  co_await run_to_end(proxy_threads_.front()->executor(), proxy_->shutdown(kProxyGrace));
  co_await run_to_end(dns_thread_->executor(), dns_->shutdown());
  co_await forwarder_->shutdown();
  servers_ended_ = true;
}

const std::set<netns::Refusal>& Sandbox::refusals() {
  constexpr std::size_t kMostRefusals = 4096;
  while (refusal_watch_) {
    const auto seen = refusal_watch_->next();
    if (!seen) break;
    if (refusals_.size() < kMostRefusals) refusals_.insert(*seen);
  }
  return refusals_;
}

Task<std::vector<dns::AddressQuestion>> Sandbox::address_questions() {
  co_return co_await dns_thread_->run([this] { return dns_->questions(); });
}

void Sandbox::publish_soon() {
  if (publish_pending_) return;
  publish_pending_ = true;
  asio::post(executor_, [this] {
    publish_pending_ = false;
    publish();
  });
}

/// Regions are kept when their machines go: the table is to change as seldom as possible.
void Sandbox::know_region(const std::string& region) {
  if (nearest_ && nearest_->contains(region)) return;
  std::set<std::string> known{region};
  if (nearest_)
    for (const auto& [code, nearest] : *nearest_) known.insert(code);
  nearest_ = std::make_shared<const dns::NearestRegions>(platform::nearest_regions(known));
}

void Sandbox::publish() {
  changed_.notify_all();
  if (dns_) publish_names();
  if (proxy_) publish_routes();
}

dns::World Sandbox::names() const {
  DnsFacts facts{&apps_, &network_numbers_, &addresses_, {}, edge_region(), answer_order_, reverse_names_, nearest_};
  facts.machines.reserve(machines_.size());
  for (const auto& machine : machines_) facts.machines.push_back({&machine->spec().record, machine->is_started()});
  return dns_world(facts);
}

void Sandbox::publish_names() {
  zone_ = std::make_shared<const dns::ZoneSnapshot>(names(), zone_.get());
  dns_->publish(zone_);
}

void Sandbox::publish_routes() {
  proxy_->publish(proxy_routes({&apps_, &machines_, &ports_, &edge_ports_, distances_}));
}

}  // namespace flylocal::sandbox
