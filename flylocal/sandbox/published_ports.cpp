#include "flylocal/sandbox/published_ports.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>

#include "netns/sockets.hpp"

namespace flylocal::sandbox {
namespace {

using boost::asio::ip::tcp;

constexpr int kPortTries = 200;
/// A range of raw TCP ports beyond this is not opened: nobody needs thousands of listeners on a laptop.
constexpr int kMaxRange = 64;

std::uint16_t default_host_port(std::uint16_t external) {
  return external < 1024 ? static_cast<std::uint16_t>(8000 + external) : external;
}

bool host_has_ipv6() {
  return netns::listen_tcp({boost::asio::ip::address_v6::loopback(), 0}).has_value();
}

/// Listens on both loopback addresses; all or nothing.
Result<std::vector<UniqueFd>> listen_on_loopback(std::uint16_t port, bool ipv6) {
  std::vector<UniqueFd> fds;
  auto v4 = netns::listen_tcp({boost::asio::ip::address_v4::loopback(), port});
  if (!v4) return v4.error();
  fds.push_back(std::move(*v4));
  if (ipv6) {
    auto v6 = netns::listen_tcp({boost::asio::ip::address_v6::loopback(), port});
    if (!v6) return v6.error();
    fds.push_back(std::move(*v6));
  }
  return fds;
}

/// A port that is free on both loopback addresses, by trying what the kernel offers.
Result<std::uint16_t> free_port(bool ipv6) {
  Error last{"no free port"};
  for (int i = 0; i < kPortTries; ++i) {
    auto offered = netns::listen_tcp({boost::asio::ip::address_v4::loopback(), 0});
    if (!offered) return offered.error();
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(offered->get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return system_error("read a socket's address", errno);
    const std::uint16_t port = ntohs(address.sin_port);
    if (!ipv6) return port;
    auto same = netns::listen_tcp({boost::asio::ip::address_v6::loopback(), port});
    if (same) return port;
    last = same.error();
  }
  return last;
}

proxy::Handlers handlers_of(const config::ServicePort& port) {
  proxy::Handlers handlers{.http = port.has(config::Handler::kHttp), .tls = port.has(config::Handler::kTls), .pg_tls = port.has(config::Handler::kPgTls)};
  if (port.has(config::Handler::kProxyProto))
    handlers.proxy_protocol = port.proxy_protocol_version == config::ProxyProtocolVersion::kV2 ? proxy::ProxyProtocolVersion::v2 : proxy::ProxyProtocolVersion::v1;
  return handlers;
}

proxy::TlsOptions tls_options(const config::ServicePort& port) {
  proxy::TlsOptions options;
  if (!port.tls_options) return options;
  const config::TlsOptions& given = *port.tls_options;
  options.alpn = given.alpn;
  options.default_self_signed = given.default_self_signed;
  const auto has = [&](config::TlsVersion version) {
    return given.versions.empty() || std::find(given.versions.begin(), given.versions.end(), version) != given.versions.end();
  };
  options.tls12 = has(config::TlsVersion::kTls12);
  options.tls13 = has(config::TlsVersion::kTls13);
  return options;
}

proxy::HttpOptions http_options(const config::ServicePort& port) {
  proxy::HttpOptions options;
  options.force_https = port.force_https;
  if (!port.http_options) return options;
  const config::HttpOptions& given = *port.http_options;
  options.compress = given.compress.value_or(false);
  options.h2_backend = given.h2_backend;
  options.pristine = given.pristine;
  options.idle_timeout = given.idle_timeout;
  options.head_limit = given.headers_read_timeout;
  for (const config::ResponseHeaderRule& rule : given.response_headers) {
    std::string lower = rule.name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    options.response_headers.push_back({std::move(lower), rule.values.value_or(std::vector<std::string>())});
  }
  return options;
}

/// Clients name the host they want, so that several apps can share the port.
bool is_named(const proxy::Handlers& handlers) { return handlers.http || handlers.tls || handlers.pg_tls; }

/// Collects what the services of one app offer.
class Offer {
 public:
  explicit Offer(const project::AppSpec& app) : app_(app) {}
  void add_service(const project::GroupSpec& group, const config::Service& service);
  PortOffer take() { return std::move(offer_); }

 private:
  void add_port(OfferedPort port);

  const project::AppSpec& app_;
  PortOffer offer_;
};

void Offer::add_service(const project::GroupSpec& group, const config::Service& service) {
  if (service.protocol == config::TransportProtocol::kUdp) {
    offer_.notes.push_back(fmt::format("{}: UDP services are not published yet (internal_port {})", app_.name, service.internal_port));
    return;
  }
  for (const config::ServicePort& port : service.ports) {
    if (port.range.last - port.range.first >= kMaxRange) {
      offer_.notes.push_back(fmt::format("{}: ports {} to {} are not published: more than {} ports; reach a machine with "
                                         "`flylocal proxy LOCAL:REMOTE -a {}`",
                                         app_.name, port.range.first, port.range.last, kMaxRange, app_.name));
      continue;
    }
    for (int external = port.range.first; external <= port.range.last; ++external)
      add_port({static_cast<std::uint16_t>(external),
                handlers_of(port),
                {app_.name, group.config.group, service.internal_port, tls_options(port), http_options(port)}});
  }
}

void Offer::add_port(OfferedPort port) {
  const bool is_taken = std::any_of(offer_.ports.begin(), offer_.ports.end(),
                                    [&](const OfferedPort& other) { return other.external_port == port.external_port; });
  if (is_taken)
    offer_.notes.push_back(fmt::format("{}: port {} is offered by more than one service; the first one is published", app_.name, port.external_port));
  else
    offer_.ports.push_back(std::move(port));
}

class Planner {
 public:
  explicit Planner(HostPorts host_ports) : host_ports_(host_ports) {}
  Result<> add_app(const project::AppSpec& app);
  PortPlan take() { return std::move(plan_); }

 private:
  Result<> add_port(const project::AppSpec& app, OfferedPort offered);
  Result<> add_edges(const project::AppSpec& app, const std::vector<OfferedPort>& offered);

  HostPorts host_ports_;
  PortPlan plan_;
  bool ipv6_ = host_has_ipv6();
};

Result<> Planner::add_app(const project::AppSpec& app) {
  PortOffer offer = offered_ports(app);
  plan_.notes.insert(plan_.notes.end(), offer.notes.begin(), offer.notes.end());
  const std::vector<OfferedPort> offered = offer.ports;
  for (OfferedPort& port : offer.ports)
    if (auto added = add_port(app, std::move(port)); !added) return added.error();
  return add_edges(app, offered);
}

Result<> Planner::add_edges(const project::AppSpec& app, const std::vector<OfferedPort>& offered) {
  if (app.edges.empty()) return {};
  constexpr std::uint16_t kHttp = 80;
  const auto http = std::find_if(offered.begin(), offered.end(), [](const OfferedPort& port) { return port.external_port == kHttp; });
  if (http == offered.end()) {
    plan_.notes.push_back(fmt::format("{}: [edges] of flylocal.toml does nothing: no service is offered on port {}", app.name, kHttp));
    return {};
  }
  for (const auto& [region, wanted] : app.edges) {
    std::uint16_t host_port = wanted;
    if (host_ports_ == HostPorts::kAnyFree) {
      auto free = free_port(ipv6_);
      if (!free) return free.error();
      host_port = *free;
    }
    auto listeners = listen_on_loopback(host_port, ipv6_);
    if (!listeners)
      return Error{fmt::format("{}: flylocal.toml wants port {} of the host for the edge {}: {}", app.name, host_port, region,
                               listeners.error().message),
                   listeners.error().code};
    PublishedPort port;
    port.id = static_cast<proxy::ListenerId>(plan_.ports.size() + 1);
    port.external_port = kHttp;
    port.host_port = host_port;
    port.handlers = http->handlers;
    port.edge_region = region;
    port.backends.push_back(http->backend);
    port.listeners = std::move(*listeners);
    plan_.ports.push_back(std::move(port));
  }
  return {};
}

Result<> Planner::add_port(const project::AppSpec& app, OfferedPort offered) {
  const std::uint16_t external = offered.external_port;
  const auto chosen = app.host_ports.find(external);
  for (PublishedPort& port : plan_.ports) {
    if (port.external_port != external || !port.edge_region.empty()) continue;
    if (host_ports_ == HostPorts::kUsual && is_named(offered.handlers) && port.handlers == offered.handlers &&
        (chosen == app.host_ports.end() || chosen->second == port.host_port)) {
      port.backends.push_back(std::move(offered.backend));
      return {};
    }
  }

  std::uint16_t wanted = chosen != app.host_ports.end() ? chosen->second : default_host_port(external);
  if (host_ports_ == HostPorts::kAnyFree) {
    // Somebody else may take it before it is opened again below; then the next one is.
    auto free = free_port(ipv6_);
    if (!free) return free.error();
    wanted = *free;
  }
  auto listeners = listen_on_loopback(wanted, ipv6_);
  std::uint16_t got = wanted;
  if (!listeners) {
    if (chosen != app.host_ports.end() && host_ports_ == HostPorts::kUsual)
      return Error{fmt::format("{}: flylocal.toml wants port {} of the host for port {}: {}", app.name, wanted, external,
                               listeners.error().message),
                   listeners.error().code};
    for (int i = 1; !listeners && i <= kPortTries && wanted + i <= 65535; ++i) {
      got = static_cast<std::uint16_t>(wanted + i);
      listeners = listen_on_loopback(got, ipv6_);
    }
    if (!listeners)
      return Error{fmt::format("{}: no free host port for port {}, tried {} to {} ({})", app.name, external, wanted, got,
                               listeners.error().message),
                   listeners.error().code};
    if (host_ports_ == HostPorts::kUsual)
      plan_.notes.push_back(fmt::format("{}: port {} of the host is busy; port {} is at {} instead", app.name, wanted, external, got));
  }
  PublishedPort port;
  port.id = static_cast<proxy::ListenerId>(plan_.ports.size() + 1);
  port.external_port = external;
  port.host_port = got;
  port.handlers = offered.handlers;
  port.backends.push_back(std::move(offered.backend));
  port.listeners = std::move(*listeners);
  plan_.ports.push_back(std::move(port));
  return {};
}

}  // namespace

PortOffer offered_ports(const project::AppSpec& app) {
  Offer offer(app);
  for (const auto& [name, group] : app.groups)
    for (const config::Service& service : group.config.services) offer.add_service(group, service);
  return offer.take();
}

Result<PortPlan> open_ports(const std::vector<project::AppSpec>& apps, HostPorts host_ports) {
  Planner planner(host_ports);
  for (const project::AppSpec& app : apps)
    if (auto added = planner.add_app(app); !added) return added.error();
  return planner.take();
}

std::string PublishedPort::url(std::string_view app) const {
  if (handlers.http) return fmt::format("{}://{}.localhost:{}/", handlers.tls ? "https" : "http", app, host_port);
  if (handlers.tls) return fmt::format("tls {}.localhost:{}", app, host_port);
  if (handlers.pg_tls) return fmt::format("postgres://{}.localhost:{}/?sslmode=require", app, host_port);
  return fmt::format("tcp localhost:{}", host_port);
}

std::vector<std::string> host_names(const project::AppSpec& app) {
  std::vector<std::string> names;
  for (const char* top : {".localhost", ".fly.dev", ".internal", ".flycast"}) names.push_back(app.name + top);
  names.insert(names.end(), app.domains.begin(), app.domains.end());
  return names;
}

}  // namespace flylocal::sandbox
