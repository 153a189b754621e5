#pragma once

#include <atomic>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
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
/// counts survive a change of routing. The proxy's thread writes, any thread reads.
struct UpstreamLoad {
  std::atomic<std::uint32_t> current{0};  ///< requests or connections in progress
  std::atomic<std::uint64_t> total{0};    ///< requests or connections ever given to the machine
  std::atomic<std::uint64_t> failures{
      0};  ///< refused or failed connects, and exchanges broken by the machine
};

/// One started machine that offers a service.
struct Upstream {
  std::string machine_id;
  std::string region;
  /// The address the machine sees as the proxy's: 172.16.a.b (platform.md 1.1). Must be assigned where the
  /// proxy's thread lives.
  asio::ip::address_v4 source;
  /// The machine's private IPv4 address and the service's internal_port.
  asio::ip::tcp::endpoint endpoint;
  /// Why the machine cannot be reached, if the bind report knows; a known cause ends the waiting for it.
  std::string finding;
  std::shared_ptr<UpstreamLoad> load = std::make_shared<UpstreamLoad>();
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
  std::uint16_t internal_port = 0;
  Concurrency concurrency;
  bool force_https = false;
  /// Started machines only.
  std::vector<Upstream> upstreams;
  /// One line for each machine that cannot take traffic, saying which and why; shown in 503 answers.
  std::vector<std::string> absent;
};

/// What is done with the bytes of a connection (platform.md 4.2).
enum class Handling {
  tcp,   ///< no handlers: passed on as they are
  http,  ///< the http handler
};

/// A place in RoutingSnapshot::services.
using ServiceIndex = std::uint32_t;

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
  Handling handling = Handling::http;
  /// The app's public address as told to the application in X-Forwarded-For; empty: the address that the
  /// client really connected to.
  std::string public_address;
  /// Lower-case host names without port. Not used for Handling::tcp.
  std::unordered_map<std::string, ServiceIndex, HostHash, std::equal_to<>> routes;
  /// Takes what no host name takes, and all of Handling::tcp.
  std::optional<ServiceIndex> default_service;
};

struct RoutingSnapshot {
  std::vector<PublishedPort> ports;
  std::vector<Service> services;

  const PublishedPort* find_port(ListenerId id) const;
  /// `host` as in the Host field: any case, with or without port. Null when neither a route nor a default
  /// takes it.
  const Service* find_service(const PublishedPort& port, std::string_view host) const;
};

}  // namespace flylocal::proxy
