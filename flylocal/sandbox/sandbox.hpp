#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dns/forwarder.hpp"
#include "dns/server.hpp"
#include "flylocal/base/notifier.hpp"
#include "flylocal/base/task_group.hpp"
#include "flylocal/project/app_spec.hpp"
#include "flylocal/sandbox/app_addresses.hpp"
#include "flylocal/sandbox/autostop.hpp"
#include "flylocal/sandbox/log_hub.hpp"
#include "flylocal/sandbox/machine.hpp"
#include "flylocal/sandbox/published_ports.hpp"
#include "flylocal/sandbox/worker_thread.hpp"
#include "flylocal/store/state_directory.hpp"
#include "flylocal/store/store.hpp"
#include "netns/backbone.hpp"
#include "netns/privilege.hpp"
#include "netns/refusal_watch.hpp"
#include "proxy/proxy.hpp"

namespace flylocal::sandbox {

/// One 6PN network of the sandbox.
struct SandboxNetwork {
  std::string organization;
  std::string name;
  platform::NetworkNumber number;
  netns::SixPnNetwork link;
  /// A namespace of ours on the network, as a WireGuard peer is: what dials from here comes in over 6PN.
  std::unique_ptr<netns::NetworkNamespace> peer;
};

/// A running emulator: networks, machines, proxy, DNS.
///
/// Theory of operation. The main thread (host's network namespace) owns this object and all machines. The
/// worker threads live in the backbone namespace: `backbone` makes namespaces and clones machines (so it lives as
/// long as any machine), `proxy` (one or more) and `dns` serve. On every change of a machine the main thread publishes fresh
/// snapshots to both servers, once per turn of its loop. Order of members is order of life.
class Sandbox {
 public:
  struct Options {
    std::vector<asio::ip::udp::endpoint> upstream_resolvers;
    std::string version;
    HostPorts host_ports = HostPorts::kUsual;
    dns::AnswerOrder answer_order = dns::AnswerOrder::fixed;
    bool reverse_names = false;
    /// Signs the certificates of ports with TLS; null: these refuse their clients.
    std::shared_ptr<const proxy::tls::CertificateAuthority> authority;
    /// The region whose edge takes the clients of this host; empty: the first app's primary region.
    std::string edge_region;
    /// From one autostop pass to the next (platform facts 4.9); zero: never, but for autostop_pass().
    std::chrono::milliseconds autostop_interval = std::chrono::minutes(5);
    bool http_checks = true;       ///< else the health checks by HTTP are connects alone
    bool faithful_errors = false;  ///< the proxy's own answers have no body
    std::size_t proxy_threads = 1;
  };

  /// Makes the namespaces and threads and opens the host's ports; no machine runs yet.
  static Result<std::unique_ptr<Sandbox>> create(Executor main, const netns::Privilege& privilege, store::Store store,
                                                 std::vector<project::AppSpec> apps, Options options);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox();

  /// Starts all machines at once; returns when each runs or has failed.
  Task<> start_machines();
  /// Stops all machines in order (kill_signal, kill_timeout), then the servers. Must be awaited before the end.
  Task<> shutdown();

  const std::vector<project::AppSpec>& apps() const { return apps_; }
  const project::AppSpec* find_app(std::string_view name) const;
  /// In the order of their creation.
  const std::vector<std::shared_ptr<Machine>>& machines() const { return machines_; }
  /// By id; a unique beginning of one will do. Null when there is none, or several. Shared, so that who waits for
  /// something of a machine may go on when it is scaled away.
  std::shared_ptr<Machine> find_machine(std::string_view id);
  /// The machines of one app's group, by ordinal.
  std::vector<std::shared_ptr<Machine>> machines_of(std::string_view app, std::string_view process_group);
  const std::vector<PublishedPort>& ports() const { return ports_; }
  /// Where Fly Proxy takes traffic for an app of this sandbox.
  const AppAddresses& addresses_of(const project::AppSpec& app) const { return addresses_.at(app.name); }
  const SandboxNetwork& network_of(const Machine& machine) const;
  const SandboxNetwork& network_of_app(const project::AppSpec& app) const;

  /// Makes or removes machines until the group has `count` in `region`; returns when they run or are gone.
  Task<Result<>> scale(std::string app, std::string process_group, std::string region, int count);

  /// A machine that autostop put to rest, or tried to.
  struct Autostopped {
    AutostopChoice choice;
    std::string app;
    bool done = false;  ///< false: a request came in time
  };
  /// One autostop pass over all apps; returns when the chosen machines are stopped or suspended.
  Task<std::vector<Autostopped>> autostop_pass();

  /// Of the main thread.
  Executor executor() const { return executor_; }
  LogHub& logs() { return logs_; }
  store::Store& store() { return store_; }
  WorkerThread& backbone_thread() { return *backbone_thread_; }
  const netns::Backbone& backbone() const { return *backbone_; }
  const proxy::Proxy& proxy() const { return *proxy_; }
  const dns::Server& dns() const { return *dns_; }
  /// What the DNS answers from at this moment.
  dns::World names() const;
  /// Who is asked for all names that are not the sandbox's.
  const std::vector<asio::ip::udp::endpoint>& upstream_resolvers() const { return upstream_resolvers_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::string& edge_region() const { return edge_region_.empty() ? apps_.front().primary_region : edge_region_; }
  /// The TCP connects over 6PN that were refused since the sandbox was made, as far as they were seen.
  const std::set<netns::Refusal>& refusals();
  /// Who asked the resolver for which family of addresses.
  Task<std::vector<dns::AddressQuestion>> address_questions();
  /// Notified on every change of a machine.
  Notifier& changed() { return changed_; }
  /// Brings proxy and DNS up to date, soon; several calls in one turn cost one snapshot.
  void publish_soon();

 private:
  Sandbox(Executor main, store::Store store, std::vector<project::AppSpec> apps);
  Result<> open_networks();
  Result<> start_threads(const Options& options);
  Result<> publish_ports(HostPorts host_ports);
  Result<> open_edge();
  Result<std::shared_ptr<Machine>> add_machine(const project::AppSpec& app, const project::GroupSpec& group, const std::string& region,
                               int ordinal);
  Task<> remove_machine(std::shared_ptr<Machine> machine);
  std::vector<AutostopMachine> autostop_machines(const project::AppSpec& app) const;
  Task<bool> put_to_rest(std::shared_ptr<Machine> machine, AutostopChoice choice);
  Task<> stop_machines_at_intervals();
  void wake(const std::string& machine_id);
  Result<> serve_dns(const SandboxNetwork& network);
  void know_region(const std::string& region);
  void publish();
  void publish_names();
  void publish_routes();

  Executor executor_;
  store::Store store_;
  std::vector<project::AppSpec> apps_;
  std::vector<std::string> notes_;
  const netns::Privilege* privilege_ = nullptr;
  LogHub logs_;
  Notifier changed_;
  std::unique_ptr<WorkerThread> backbone_thread_, dns_thread_;
  std::vector<std::unique_ptr<WorkerThread>> proxy_threads_;
  std::optional<netns::Backbone> backbone_;
  std::optional<netns::RefusalWatch> refusal_watch_;
  std::set<netns::Refusal> refusals_;
  std::map<std::pair<std::string, std::string>, SandboxNetwork> networks_;
  std::vector<asio::ip::udp::endpoint> upstream_resolvers_;
  std::unique_ptr<dns::Forwarder> forwarder_;
  std::unique_ptr<dns::Server> dns_;
  std::unique_ptr<proxy::Proxy> proxy_;
  std::vector<PublishedPort> ports_;
  NetworkNumbers network_numbers_;
  std::map<std::string, AppAddresses> addresses_;  // by app
  std::vector<EdgePort> edge_ports_;
  dns::AnswerOrder answer_order_ = dns::AnswerOrder::fixed;
  bool reverse_names_ = false;
  bool http_checks_ = true;
  std::string edge_region_;
  std::chrono::milliseconds autostop_interval_{};
  std::shared_ptr<const proxy::RegionDistances> distances_;
  std::shared_ptr<const dns::NearestRegions> nearest_;
  std::shared_ptr<const dns::ZoneSnapshot> zone_;  // the newest; the next one shares what did not change
  MachineWorld world_;
  std::vector<std::shared_ptr<Machine>> machines_;
  TaskGroup tasks_;  // the autostop timer and the starts that requests ask for
  bool autostop_under_way_ = false;
  bool publish_pending_ = false;
  bool closing_ = false;
  bool servers_ended_ = false;
};

}  // namespace flylocal::sandbox
