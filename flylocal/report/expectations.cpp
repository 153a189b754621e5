#include "flylocal/report/expectations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "flylocal/report/service_findings.hpp"

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;
using config::Handler;

constexpr auto kLeastPatience = 15s;

std::chrono::milliseconds in_ms(config::Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration); }

bool offers(const project::GroupSpec& group, std::uint16_t port) {
  return std::any_of(group.config.services.begin(), group.config.services.end(),
                     [&](const config::Service& service) { return service.internal_port == port; });
}

/// Whether an [[expect]] of this port means the group: those that have it as a service, else the default group
/// (platform facts 7.7).
bool is_meant(const project::AppSpec& app, const project::GroupSpec& group, std::uint16_t port) {
  if (offers(group, port)) return true;
  if (std::any_of(app.groups.begin(), app.groups.end(), [&](const auto& one) { return offers(one.second, port); })) return false;
  return group.config.group == (app.groups.contains("app") ? "app" : app.groups.begin()->first);
}

void add_service(TcpExpectation& expectation, const config::Service& service) {
  constexpr config::Port kHttps = 443;
  expectation.proxy = true;
  for (const config::ServicePort& port : service.ports) {
    const bool h2 = port.http_options && port.http_options->h2_backend;
    (h2 ? expectation.http2 : expectation.http) |= port.has(Handler::kHttp);
    // The header that we try is of version 1.
    expectation.proxy_protocol |= port.has(Handler::kProxyProto) && port.proxy_protocol_version == config::ProxyProtocolVersion::kV1;
    // Not of a range, which is for another protocol; and behind a PROXY header nobody answers a bare TLS hello.
    expectation.raw_https |= port.range == config::PortRange{kHttps, kHttps} && port.handlers.empty();
  }
}

}  // namespace

Expectations expectations_of(const project::AppSpec& app, const project::GroupSpec& group) {
  Expectations result;
  std::map<std::uint16_t, TcpExpectation> tcp;
  for (const config::Service& service : group.config.services) {
    if (service.protocol == config::TransportProtocol::kUdp) {
      if (std::find(result.udp.begin(), result.udp.end(), service.internal_port) == result.udp.end()) result.udp.push_back(service.internal_port);
      continue;
    }
    add_service(tcp[service.internal_port], service);
    for (const config::ServiceCheck& check : service.checks) {
      result.grace_period = std::max(result.grace_period, in_ms(check.timing.grace_period.value_or(config::kDefaultCheckGracePeriod)));
      result.checks.push_back({fmt::format("fly.toml:{}", check.place.line), check.type, service.internal_port, check.request,
                               in_ms(check.timing.timeout.value_or(config::kDefaultCheckTimeout))});
    }
  }
  for (const config::TopLevelCheck& check : group.config.checks) {
    result.grace_period = std::max(result.grace_period, in_ms(check.timing.grace_period.value_or(config::kDefaultCheckGracePeriod)));
    result.checks.push_back({fmt::format("[checks.{}]", check.name), check.type, check.port, check.request,
                             in_ms(check.timing.timeout.value_or(config::kDefaultCheckTimeout))});
  }
  for (std::uint16_t port : app.six_pn_ports)
    if (is_meant(app, group, port)) tcp[port].six_pn = true;
  for (auto& [port, expectation] : tcp) {
    expectation.port = port;
    result.tcp.push_back(expectation);
  }
  std::sort(result.udp.begin(), result.udp.end());
  result.app_has_services = std::any_of(app.groups.begin(), app.groups.end(), [](const auto& one) { return !one.second.config.services.empty(); });
  result.of_file = service_findings(app, group.config);
  return result;
}

std::chrono::milliseconds patience(const Expectations& expectations) {
  return std::max<std::chrono::milliseconds>(expectations.grace_period, kLeastPatience);
}

}  // namespace flylocal::report
