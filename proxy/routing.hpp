#pragma once

#include <atomic>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// What the proxy has to know to route: plain values, built by the owner of the platform model and published
/// as one immutable snapshot. The proxy never changes a snapshot, except for the counters in UpstreamLoad.
namespace flylocal::proxy {

namespace asio = boost::asio;

/// Names one listening socket, from Proxy::listen() to PublishedPort. The owner chooses the numbers.
enum class ListenerId : std::uint32_t {};

/// What one machine does for one service right now. Made by the owner and kept across snapshots, so that
/// counts survive a change of routing. The proxy writes, any thread reads.
struct UpstreamLoad {
  std::atomic<std::uint32_t> current{0};  ///< requests or connections in progress
  std::atomic<std::uint64_t> total{0};    ///< requests or connections ever given to the machine
  std::atomic<std::uint64_t> failures{
      0};  ///< refused or failed connects, and exchanges broken by the machine
};

/// What the bind report knows of a machine's port that cannot be reached.
struct Finding {
  std::string code = {};     ///< the verdict's stable code ("loopback-only"); empty: nothing is known
  std::string message = {};  ///< what was found, in one sentence
  std::string fix = {};      ///< what to change
  std::vector<std::string> evidence = {};  ///< what was seen, a line each
  bool operator==(const Finding&) const = default;
};

/// One started machine that offers a service.
struct Upstream {
  std::string machine_id;
  std::string region;
  /// The address the machine sees as the proxy's: 172.16.a.b (platform.md 1.1). Must be assigned where the
  /// proxy's threads live.
  asio::ip::address_v4 source;
  /// The machine's private IPv4 address and the service's internal_port.
  asio::ip::tcp::endpoint endpoint;
  /// A known cause of failing connections ends the waiting for the machine.
  Finding finding;
  /// Passes its service checks (platform.md 4.7).
  bool healthy = true;
  /// Gets no new traffic (platform.md 4.6).
  bool cordoned = false;
  std::shared_ptr<UpstreamLoad> load = std::make_shared<UpstreamLoad>();
};

/// A machine that takes no requests and may be started for one (platform.md 4.9). It is one from the moment it
/// begins to stop until it is an Upstream, also while it starts: a request of that time waits for it. A machine
/// that is neither any more will not come.
struct Sleeper {
  std::string machine_id;
  std::string region;
  bool suspended = false;  ///< else stopped
  /// How often it was started and has stopped again, or failed to start. When it rises while requests wait for the
  /// machine, it has come and gone, perhaps between two snapshots, and they look elsewhere.
  std::uint32_t ended_starts = 0;
};

/// platform.md 4.6: `requests` pools connections to the machine, `connections` makes one for each request.
enum class ConcurrencyType { connections, requests };

struct Concurrency {
  ConcurrencyType type = ConcurrencyType::connections;
  std::uint32_t soft_limit = 20;
  std::optional<std::uint32_t> hard_limit;
};

struct Service {
  std::string app;
  /// Tells apart services of one app that have the same internal port: its process group.
  std::string group = {};
  std::uint16_t internal_port = 0;
  Concurrency concurrency;
  /// Started machines only.
  std::vector<Upstream> upstreams;
  /// Machines that a request may wake; empty where auto_start_machines is off.
  std::vector<Sleeper> sleepers;
  /// One line for each machine that cannot take traffic, saying which and why; shown in 503 answers.
  std::vector<std::string> absent;
};

/// A place in RoutingSnapshot::services.
using ServiceIndex = std::uint32_t;

enum class ProxyProtocolVersion { v1, v2 };

/// What is done with the bytes of a connection (platform.md 4.2). None of them: they are passed on as they are.
struct Handlers {
  bool http = false;
  bool tls = false;
  bool pg_tls = false;  ///< PostgreSQL's SSLRequest, then TLS
  std::optional<ProxyProtocolVersion> proxy_protocol = std::nullopt;
  bool operator==(const Handlers&) const = default;
};

/// tls_options of a port (platform.md 4.3).
struct TlsOptions {
  std::vector<std::string> alpn = {};  ///< empty: h2 and http/1.1 with the http handler, else none
  bool tls12 = true;
  bool tls13 = true;
  bool default_self_signed = false;  ///< serve a self-signed certificate where there is none for the name
};

/// A line of http_options.response.headers: the field is taken away, and put in with these values.
struct ResponseHeaderRule {
  std::string name;  ///< in lower case
  std::vector<std::string> values;
};

/// http_options of a port (platform.md 4.3).
struct HttpOptions {
  bool force_https = false;
  bool compress = false;
  bool h2_backend = false;
  bool pristine = false;
  std::optional<std::chrono::milliseconds> idle_timeout = std::nullopt;
  std::optional<std::chrono::milliseconds> head_limit = std::nullopt;
  std::vector<ResponseHeaderRule> response_headers = {};
};

/// What one app does on a published port.
struct Backend {
  ServiceIndex service = 0;
  TlsOptions tls = {};
  HttpOptions http = {};
  /// Where the same app is served with TLS, as this port's clients reach it: for force_https.
  std::uint16_t https_port = 443;
};

/// A place in PublishedPort::backends.
using BackendIndex = std::uint32_t;

/// Lets host names be looked up without making a std::string.
struct HostHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view host) const { return std::hash<std::string_view>{}(host); }
};

/// What is behind one listening socket.
struct PublishedPort {
  ListenerId id{};
  /// The port as the platform knows it (80, 443), which the application is told; not the host's port.
  std::uint16_t external_port = 0;
  Handlers handlers;
  /// The app's public address as told to the application in X-Forwarded-For; empty: the address that the
  /// client really connected to.
  std::string public_address;
  /// The region whose edge takes these connections; empty: Options::edge_region.
  std::string edge_region;
  std::vector<Backend> backends;
  /// Lower-case host names without port, for the Host field and for TLS SNI.
  std::unordered_map<std::string, BackendIndex, HostHash, std::equal_to<>> routes;
  /// Takes what no host name takes.
  std::optional<BackendIndex> default_backend;
};

/// How far regions are from each other, in kilometres. A pair that is missing is far apart.
using RegionDistances = std::map<std::string, std::map<std::string, std::uint32_t, std::less<>>, std::less<>>;

struct RoutingSnapshot {
  std::vector<PublishedPort> ports;
  std::vector<Service> services;
  std::shared_ptr<const RegionDistances> distances;

  const PublishedPort* find_port(ListenerId id) const;
  /// `host` as in the Host field or TLS SNI: any case, with or without port. Null when neither a route nor a
  /// default takes it.
  const Backend* find_backend(const PublishedPort& port, std::string_view host) const;
  const Service& service_of(const Backend& backend) const { return services[backend.service]; }
};

}  // namespace flylocal::proxy
