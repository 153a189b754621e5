#include "flylocal/report/advice.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flylocal::report {
namespace {

/// Which of a program's texts helps with a code, and what helps anyone.
struct Remedy {
  std::string_view code;
  std::string_view Program::*text;
  std::string_view general;
};

constexpr std::string_view kListenEverywhere = "listen on [::]:{port}, with IPV6_V6ONLY off, for Fly Proxy and 6PN; or on 0.0.0.0:{port} for Fly Proxy alone";

constexpr Remedy kRemedies[] = {
    {"loopback-only", &Program::listen, kListenEverywhere},
    {"ipv6-only", &Program::listen, "switch IPV6_V6ONLY off, or listen on 0.0.0.0:{port} as well"},
    {"6pn-only", &Program::listen, "listen on 0.0.0.0:{port} as well, or on [::]:{port} for both; a private app needs no service in fly.toml"},
    {"ipv4-only", &Program::listen, "listen on [::]:{port} for both"},
    {"private-ipv4-only", &Program::listen, kListenEverywhere},
    {"global-services-only", &Program::listen, "listen on 0.0.0.0:{port}, or on [::]:{port}, for TCP"},
    {"nothing-listening", &Program::port, "look at flylocal logs"},
    {"name-not-accepted", &Program::six_pn, "give it the address instead of the name: [$FLY_PRIVATE_IP]:{port}; or listen on [::]:{port}"},
    {"wildcards-collide", &Program::listen, "listen on [::]:{port} alone, which takes IPv4 as well"},
    {"address-in-use", nullptr, "let one program alone use the port; on the 6PN address port 22 is Fly.io's"},
    {"privileged-port", &Program::port, "use a port from 1024 on, and the same number as internal_port; Fly Proxy still serves 80 and 443 outside"},
    {"address-not-here", &Program::listen, kListenEverywhere},
    {"family-not-supported", &Program::listen, "listen on 0.0.0.0:{port}, which Fly Proxy needs; for 6PN put a server in front that takes IPv6"},
    {"host-refused", &Program::hosts, "let the program accept the host APP.fly.dev (and your own domain), or do not deploy a development server"},
    {"speaks-tls", nullptr, "let it speak plain HTTP on {port}: Fly Proxy ends TLS"},
    {"http2-only", nullptr, "fly.toml: h2_backend = true in [http_service.http_options] (http_options of each port under [[services.ports]]); or let the program speak HTTP/1.1 as well"},
    {"http1-only", nullptr, "fly.toml: take h2_backend out of http_options; or let the program speak HTTP/2 without TLS (h2c)"},
    {"tls-passed-through", nullptr, "fly.toml: handlers = [\"tls\", \"http\"] on port 443"},
    {"proxy-protocol-missing", nullptr, "fly.toml: handlers = [\"proxy_proto\"], or switch the PROXY protocol off in the program"},
    {"proxy-protocol-unexpected", nullptr, "take proxy_proto out of the handlers, or switch the PROXY protocol on in the program"},
    {"redirect-loop", nullptr, "let the program trust X-Forwarded-Proto, or leave the redirect to force_https in fly.toml"},
    {"udp-wrong-source", &Program::udp, "bind the UDP socket to fly-global-services:{port}"},
    {"udp-unanswered", &Program::udp, "bind the UDP socket to fly-global-services:{port}"},
    {"udp-unreachable", &Program::udp, "bind the UDP socket to fly-global-services:{port}"},
    {"udp-not-listening", &Program::udp, "bind a UDP socket to fly-global-services:{port}"},
    {"check-redirects", nullptr, "in the check: [http_service.checks.headers] X-Forwarded-Proto = \"https\"; or check a path that answers 200"},
    {"check-not-2xx", nullptr, "check a path that answers 200 without credentials and for any host"},
    {"check-timeout", nullptr, "a longer timeout in the check, or a path that answers faster"},
    {"asks-ipv4-only", &Program::client, "make the client ask for IPv6 addresses: .internal names have no others"},
    {"udp-only", nullptr, "fly.toml: protocol = \"udp\" if UDP is meant; else let the program listen on TCP"},
};

std::string own_line(const Program* program, std::string_view Program::*text, std::uint16_t port) {
  if (!program || !text || (program->*text).empty()) return {};
  return fmt::format("{}: {}", program->title, with_port(program->*text, port));
}

}  // namespace

const Program* program_on(const MachineView& view, std::uint16_t port) {
  auto recognise_process = [](const netns::GuestProcess& process) { return recognise({process.name, process.command_line}); };
  for (const netns::BoundSocket& socket : view.sockets) {
    if (socket.port != port) continue;
    const netns::GuestProcess* owner = netns::find_owner(view.processes, socket);
    const Program* program = owner ? recognise_process(*owner) : nullptr;
    if (program) return program;
  }
  for (const netns::GuestProcess& process : view.processes)
    if (const Program* program = recognise_process(process)) return program;
  return nullptr;
}

std::string advise(const MachineView& view, const Program* program, std::string_view code, std::uint16_t port) {
  if (code == "wrong-port") {
    const netns::BoundSocket* main = main_socket(view);
    // Where all others are on loopback, or serve administration, another number alone would not help.
    if (!main || is_service_of_machine(view, *main) || scope_of(*main, view.addresses) == Scope::kLoopback) return advise(view, program, "loopback-only", port);
    const std::string own = own_line(program, &Program::port, port);
    return fmt::format("fly.toml: internal_port = {}\nor {}", main->port, own.empty() ? fmt::format("let the program listen on port {}", port) : own);
  }
  const auto remedy = std::find_if(std::begin(kRemedies), std::end(kRemedies), [&](const Remedy& one) { return one.code == code; });
  if (remedy == std::end(kRemedies)) return {};
  const std::string own = own_line(program, remedy->text, port);
  return own.empty() ? with_port(remedy->general, port) : own;
}

}  // namespace flylocal::report
