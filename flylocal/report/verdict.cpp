#include "flylocal/report/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace flylocal::report {
namespace {

using netns::BoundSocket;

/// Where a listening socket can be reached from.
enum class Scope { kLoopback, kIpv4, kDual, kSixPnOnlyWildcard, kSixPnAddress, kPrivateIpv4, kGlobalServices, kOther };

Scope scope_of(const BoundSocket& socket, const Evidence& evidence) {
  if (socket.address.is_v4() || socket.address.to_v6().is_v4_mapped()) {
    const auto address = socket.address.is_v4() ? socket.address.to_v4()
                                                : boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, socket.address.to_v6());
    if (address.is_unspecified()) return Scope::kIpv4;
    if (address.is_loopback()) return Scope::kLoopback;
    if (address == evidence.private_ipv4) return Scope::kPrivateIpv4;
    return address == evidence.global_services ? Scope::kGlobalServices : Scope::kOther;
  }
  const auto address = socket.address.to_v6();
  if (address.is_loopback()) return Scope::kLoopback;
  if (address.is_unspecified()) return socket.v6_only ? Scope::kSixPnOnlyWildcard : Scope::kDual;
  return address == evidence.six_pn ? Scope::kSixPnAddress : Scope::kOther;
}

std::string describe(const BoundSocket& socket) {
  return socket.address.is_v6() ? fmt::format("[{}]:{}", socket.address.to_string(), socket.port)
                                : fmt::format("{}:{}", socket.address.to_string(), socket.port);
}

std::string describe(const std::vector<BoundSocket>& sockets) {
  std::vector<std::string> texts;
  for (const BoundSocket& socket : sockets) texts.push_back(describe(socket));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string owner_of(const Evidence& evidence, const BoundSocket& socket) {
  const netns::GuestProcess* owner = netns::find_owner(evidence.processes, socket);
  return owner ? fmt::format("{} (pid {})", owner->name, owner->pid) : "a process that is gone";
}

struct Cause {
  const char* code;
  std::string sentence;
};

/// Why Fly Proxy cannot connect although something listens on the port.
Cause cause_of(const Evidence& evidence, const std::vector<BoundSocket>& on_port) {
  std::set<Scope> scopes;
  for (const BoundSocket& socket : on_port) scopes.insert(scope_of(socket, evidence));
  const std::string who = owner_of(evidence, on_port.front());
  const std::string where = describe(on_port);
  auto only = [&](std::initializer_list<Scope> allowed) {
    return std::all_of(scopes.begin(), scopes.end(), [&](Scope s) { return std::find(allowed.begin(), allowed.end(), s) != allowed.end(); });
  };
  if (only({Scope::kLoopback}))
    return {"loopback-only", fmt::format("{} listens on {} only, which nothing outside of the machine can reach: listen on "
                                         "0.0.0.0:{} for Fly Proxy, or on [::]:{} for both", who, where, evidence.port, evidence.port)};
  if (only({Scope::kLoopback, Scope::kSixPnOnlyWildcard}))
    return {"ipv6-only", fmt::format("{} listens on {} with IPV6_V6ONLY, so over IPv6 only, and Fly Proxy connects over IPv4: listen "
                                     "on 0.0.0.0:{} as well, or switch IPV6_V6ONLY off", who, where, evidence.port)};
  if (only({Scope::kLoopback, Scope::kSixPnAddress, Scope::kSixPnOnlyWildcard}))
    return {"6pn-only", fmt::format("{} listens on {} only, the 6PN address, and Fly Proxy connects over IPv4: listen on 0.0.0.0:{} "
                                    "as well", who, where, evidence.port)};
  if (only({Scope::kLoopback, Scope::kGlobalServices}))
    return {"global-services-only", fmt::format("{} listens on {} only: fly-global-services is for UDP; listen on 0.0.0.0:{} for TCP",
                                                who, where, evidence.port)};
  if (evidence.proxy == Path::kTimedOut)
    return {"not-accepting", fmt::format("{} listens on {} but does not accept connections ({} wait, room for {})", who, where,
                                         on_port.front().queued, on_port.front().backlog)};
  return {"refused", fmt::format("{} listens on {}, but a connection to {}:{} is refused", who, where,
                                 evidence.private_ipv4.to_string(), evidence.port)};
}

}  // namespace

Finding judge(const Evidence& evidence) {
  Finding finding;
  finding.port = evidence.port;
  finding.proxy = evidence.proxy;
  finding.six_pn = evidence.six_pn_path;
  auto decide = [&](Finding::Severity severity, std::string code, std::string sentence) {
    finding.severity = severity;
    finding.code = std::move(code);
    finding.sentence = std::move(sentence);
    return finding;
  };
  if (evidence.not_running)
    return decide(Finding::Severity::kProblem, "not-running", *evidence.not_running);

  if (evidence.port == 0) return decide(Finding::Severity::kOk, "running", "the program runs; its group has no service");

  std::vector<BoundSocket> on_port, elsewhere;
  const BoundSocket* udp_on_port = nullptr;
  for (const BoundSocket& socket : evidence.sockets) {
    if (socket.protocol == BoundSocket::Protocol::kUdp) {
      if (socket.port == evidence.port) udp_on_port = &socket;
      continue;
    }
    (socket.port == evidence.port ? on_port : elsewhere).push_back(socket);
  }

  if (evidence.required.six_pn && evidence.six_pn_path != Path::kReachable && !on_port.empty() &&
      (evidence.proxy == Path::kReachable || !evidence.required.proxy))
    return decide(Finding::Severity::kProblem, "6pn-unreachable",
                  fmt::format("{} listens on {}, and flylocal.toml expects port {} to be reachable over 6PN: listen on [::]:{} or "
                              "fly-local-6pn:{}", owner_of(evidence, on_port.front()), describe(on_port), evidence.port, evidence.port,
                              evidence.port));
  if (!evidence.required.proxy && evidence.six_pn_path == Path::kReachable)
    return decide(Finding::Severity::kOk, "ok", fmt::format("{} listens on {}: reachable over 6PN",
                                                            on_port.empty() ? "the machine" : owner_of(evidence, on_port.front()), describe(on_port)));
  if (evidence.proxy == Path::kReachable) {
    const std::string who = on_port.empty() ? "the machine" : owner_of(evidence, on_port.front()) + " listens on " + describe(on_port);
    if (evidence.six_pn_path == Path::kReachable)
      return decide(Finding::Severity::kOk, "ok", who + ": reachable by Fly Proxy and over 6PN");
    return decide(Finding::Severity::kOk, "ipv4-only",
                  fmt::format("{}: reachable by Fly Proxy; not over 6PN, where other apps would dial it: listen on [::]:{} for both",
                              who, evidence.port));
  }
  if (!on_port.empty()) {
    Cause cause = cause_of(evidence, on_port);
    return decide(Finding::Severity::kProblem, cause.code, std::move(cause.sentence));
  }
  if (!elsewhere.empty()) {
    // Of several the one that others can reach: a debugger's port on loopback is not what was meant.
    auto outside = std::find_if(elsewhere.begin(), elsewhere.end(), [&](auto& s) { return scope_of(s, evidence) != Scope::kLoopback; });
    const bool loopback = outside == elsewhere.end();
    const BoundSocket& other = loopback ? elsewhere.front() : *outside;
    return decide(Finding::Severity::kProblem, "wrong-port",
                  loopback ? fmt::format("nothing listens on port {}; {} listens on {}, another port and loopback only: make it listen on 0.0.0.0:{}",
                                         evidence.port, owner_of(evidence, other), describe(elsewhere), evidence.port)
                           : fmt::format("nothing listens on port {}; {} listens on {}: set internal_port = {} in fly.toml, or make the program "
                                         "listen on {}", evidence.port, owner_of(evidence, other), describe(elsewhere), other.port, evidence.port));
  }
  if (udp_on_port)
    return decide(Finding::Severity::kProblem, "udp-only", fmt::format("{} has only a UDP socket on port {}, and the service is TCP", owner_of(evidence, *udp_on_port), evidence.port));
  return decide(Finding::Severity::kPending, "nothing-listening",
                fmt::format("the program runs, but nothing listens on any TCP port yet (expected: {})", evidence.port));
}

}  // namespace flylocal::report
