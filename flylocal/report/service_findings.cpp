#include "flylocal/report/service_findings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flylocal::report {
namespace {

using config::Handler;
using config::Service;
using config::ServicePort;
using launch::IpAddressKind;

std::string range_text(const config::PortRange& range) {
  return range.first == range.last ? std::to_string(range.first) : fmt::format("{}-{}", range.first, range.last);
}

class Findings {
 public:
  Findings(const project::AppSpec& app, const config::GroupConfig& group) : app_(app), group_(group) {}

  std::vector<Result> find() {
    for (const Service& service : group_.services) {
      look_at_completeness(service);
      if (service.protocol == config::TransportProtocol::kUdp) look_at_udp(service);
      else for (const ServicePort& port : service.ports) look_at_tcp_port(service, port);
      look_at_autostop(service);
    }
    return std::move(results_);
  }

 private:
  void add(const Service& service, int line, Path path, Severity severity, const char* code, std::string message, std::string fix) {
    Result& result = results_.emplace_back();
    result.path = path;
    result.port = service.internal_port;
    result.target = line > 0 ? fmt::format("fly.toml:{}", line) : "fly.toml";
    result.expected = severity == Severity::kProblem;
    result.severity = severity;
    result.code = code;
    result.message = std::move(message);
    result.fix = std::move(fix);
  }
  bool knows_addresses() const { return !app_.ip_addresses.empty(); }
  bool has(IpAddressKind kind) const { return app_.ip_addresses.contains(kind); }

  void look_at_completeness(const Service& service) {
    if (!service.protocol)
      add(service, service.place.line, Path::kProxy, Severity::kWarning, "service-incomplete",
          fmt::format("the service on internal_port {} has no protocol: flyctl then counts it neither as TCP nor as UDP", service.internal_port), "fly.toml: protocol = \"tcp\"");
    if (service.ports.empty())
      add(service, service.place.line, Path::kProxy, Severity::kWarning, "service-incomplete",
          fmt::format("the service on internal_port {} has no ports, so nobody can reach it from outside", service.internal_port),
          "fly.toml: [[services.ports]] with port and handlers");
  }

  void look_at_udp(const Service& service) {
    for (const ServicePort& port : service.ports)
      if (!port.range.contains(service.internal_port))
        add(service, port.place.line, Path::kUdp, Severity::kProblem, "udp-port-differs",
            fmt::format("UDP port {} is to reach internal_port {}, and Fly.io does not rewrite ports of UDP: datagrams arrive at port {}", range_text(port.range),
                        service.internal_port, range_text(port.range)),
            fmt::format("fly.toml: internal_port = {}, and let the program use it", port.range.first));
    if (has(IpAddressKind::kV4)) return;
    add(service, service.place.line, Path::kUdp, knows_addresses() ? Severity::kProblem : Severity::kNote, "udp-needs-ipv4",
        "UDP arrives at a dedicated IPv4 address only, neither at a shared one nor over IPv6",
        "fly ips allocate-v4; then ip_addresses = [\"v4\", ...] in flylocal.toml");
  }

  void look_at_tcp_port(const Service& service, const ServicePort& port) {
    constexpr config::Port kHttp = 80, kHttps = 443;
    const bool any_host = port.has(Handler::kTls) || port.has(Handler::kPgTls);
    const bool web_port = port.range.first == port.range.last && (port.range.first == kHttps || port.range.first == kHttp) && port.has(Handler::kHttp);
    if (!any_host && !web_port && !has(IpAddressKind::kV4) && (!knows_addresses() || has(IpAddressKind::kSharedV4)))
      add(service, port.place.line, Path::kProxy, knows_addresses() ? Severity::kWarning : Severity::kNote, "raw-tcp-shared-ipv4",
          fmt::format("port {} without the tls handler works on a dedicated IPv4, on IPv6 and on Flycast, and not on a shared IPv4", range_text(port.range)),
          "fly ips allocate-v4, or handlers = [\"tls\"] where the clients speak TLS");
    if (port.force_https && has(IpAddressKind::kPrivateV6))
      add(service, port.place.line, Path::kProxy, Severity::kProblem, "force-https-flycast",
          "force_https answers every request with a redirect to https, and a Flycast address has no certificate for that", "fly.toml: force_https = false");
  }

  void look_at_autostop(const Service& service) {
    if (service.auto_stop_machines == config::AutoStop::kOff || service.auto_start_machines.value_or(true)) return;
    add(service, service.place.line, Path::kProxy, Severity::kWarning, "autostop-without-autostart",
        "Fly Proxy stops idle machines of this service and never starts them again", "fly.toml: auto_start_machines = true");
  }

  const project::AppSpec& app_;
  const config::GroupConfig& group_;
  std::vector<Result> results_;
};

}  // namespace

std::vector<Result> service_findings(const project::AppSpec& app, const config::GroupConfig& group) { return Findings(app, group).find(); }

}  // namespace flylocal::report
