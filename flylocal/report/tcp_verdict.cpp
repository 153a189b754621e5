#include "flylocal/report/tcp_verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace flylocal::report {
namespace {

using netns::BoundSocket;

struct Cause {
  const char* code;
  std::string message;
};

bool takes(Path path, Scope scope) { return path == Path::k6pn ? takes_six_pn(scope) : takes_private_ipv4(scope); }

/// All that hold one of the sockets, each once.
std::string owners_of(const MachineView& view, const std::vector<BoundSocket>& sockets) {
  std::vector<std::string> owners;
  for (const BoundSocket& socket : sockets)
    if (std::string owner = owner_of(view, socket); std::find(owners.begin(), owners.end(), owner) == owners.end()) owners.push_back(std::move(owner));
  return fmt::format("{}", fmt::join(owners, " and "));
}

std::string who_dials(Path path) { return path == Path::k6pn ? "other apps connect over IPv6" : "Fly Proxy connects over IPv4"; }

/// Why nobody gets through on `path` although something listens on the port.
Cause cause_on_port(const MachineView& view, Path path, std::uint16_t port, Reach reach, const std::vector<BoundSocket>& on_port) {
  std::set<Scope> scopes;
  for (const BoundSocket& socket : on_port) scopes.insert(scope_of(socket, view.addresses));
  const std::string who = owners_of(view, on_port);
  const std::string where = endpoints(on_port);
  const auto right = std::find_if(on_port.begin(), on_port.end(), [&](auto& s) { return takes(path, scope_of(s, view.addresses)); });
  if (right != on_port.end()) {
    if (reach == Reach::kTimedOut)
      return {"not-accepting", fmt::format("{} listens on {} and does not accept connections ({} wait, room for {})", who, where,
                                           right->queued, right->backlog)};
    return {"refused", fmt::format("{} listens on {}, and a connection is refused all the same", who, where)};
  }
  // The socket that comes nearest to what is wanted names the cause; one on loopback beside it explains nothing.
  if (path == Path::k6pn) {
    if (scopes.contains(Scope::kIpv4Wildcard))
      return {"ipv4-only", fmt::format("{} listens on {}, so over IPv4 only, and {}", who, where, who_dials(path))};
    if (scopes.contains(Scope::kPrivateIpv4))
      return {"private-ipv4-only", fmt::format("{} listens on {}, the private IPv4 address, and {}", who, where, who_dials(path))};
  } else {
    if (scopes.contains(Scope::kIpv6Wildcard))
      return {"ipv6-only", fmt::format("{} listens on {} with IPV6_V6ONLY, so over IPv6 only, and {}", who, where, who_dials(path))};
    if (scopes.contains(Scope::kSixPn))
      return {"6pn-only", fmt::format("{} listens on {}, the 6PN address, and {}", who, where, who_dials(path))};
  }
  if (scopes.contains(Scope::kGlobalServices))
    return {"global-services-only", fmt::format("{} listens on {}: the address of fly-global-services is for UDP", who, where)};
  if (scopes.contains(Scope::kLoopback))
    return {"loopback-only", fmt::format("{} listens on {} only, which nothing outside of the machine can reach", who, where)};
  return {"refused", fmt::format("{} listens on {} only, and a connection to port {} from outside of the machine is refused", who, where, port)};
}

/// Which of the runtimes that have a debugger runs the process; empty: another one, or none.
std::string_view runtime_of(const netns::GuestProcess& process) {
  struct Runtime {
    std::string_view program, runtime;
    bool has_version;  ///< in its name: python3.11
  };
  constexpr Runtime kRuntimes[] = {{"node", "node", false}, {"nodejs", "node", false}, {"deno", "node", false}, {"bun", "node", false},
                                   {"python", "python", true}, {"pypy", "python", true}, {"java", "java", false}, {"ruby", "ruby", true},
                                   {"php", "php", true}, {"dotnet", "dotnet", false}, {"beam.smp", "beam.smp", false}};
  auto of_name = [&](std::string_view name) -> std::string_view {
    for (const Runtime& one : kRuntimes) {
      const std::string_view rest = name.starts_with(one.program) ? name.substr(one.program.size()) : "?";
      if (rest.empty() || (one.has_version && rest.find_first_not_of("0123456789.") == std::string_view::npos)) return one.runtime;
    }
    return {};
  };
  // A process can name itself as it likes, and the program's file tells more.
  const std::string_view file = process.command_line.empty() ? std::string_view() : std::string_view(process.command_line.front());
  const std::string_view of_file = of_name(file.substr(file.rfind('/') + 1));
  return of_file.empty() ? of_name(process.name) : of_file;
}

/// The process from which this one comes through parents of its own name: a master and its workers are one program. A shell
/// that starts two programs is neither.
pid_t top_of(const MachineView& view, const netns::GuestProcess& process) {
  pid_t top = process.pid;
  for (std::size_t steps = 0; steps < view.processes.size(); ++steps) {
    const auto parent = view.parents.find(top);
    if (parent == view.parents.end()) break;
    const auto found = std::find_if(view.processes.begin(), view.processes.end(), [&](auto& one) { return one.pid == parent->second; });
    if (found == view.processes.end() || found->name != process.name) break;
    top = found->pid;
  }
  return top;
}

/// Whether two processes are of one program, as far as one can see.
bool are_one_program(const MachineView& view, const netns::GuestProcess& one, const netns::GuestProcess& other) {
  if (one.name != other.name) return false;
  // A program that was started twice with the same words says the same to everybody.
  if (one.command_line == other.command_line && one.directory == other.directory) return true;
  // That one comes from the other tells nothing: "first & exec second" of a shell makes the second the first one's parent.
  const pid_t top = top_of(view, one);
  return top == top_of(view, other) && top != one.pid && top != other.pid;
}

/// Whether `line` has the port as a number of its own, and not as digits of a longer one.
bool names_port(std::string_view line, std::uint16_t port) {
  const std::string digits = std::to_string(port);
  auto is_digit = [&](std::size_t at) { return at < line.size() && line[at] >= '0' && line[at] <= '9'; };
  for (std::size_t at = line.find(digits); at != std::string_view::npos; at = line.find(digits, at + 1))
    if ((at == 0 || !is_digit(at - 1)) && !is_digit(at + digits.size())) return true;
  return false;
}

}  // namespace

const BindError* bind_error_of(const MachineView& view, std::uint16_t port) {
  constexpr std::uint16_t kFirstFree = 1024;
  return view.bind_error && (view.bind_error->is_certain || port < kFirstFree) ? &*view.bind_error : nullptr;
}

Verdict judge_bind_error(const MachineView& view, std::uint16_t port) {
  const BindError& error = *view.bind_error;
  auto problem = [&](const char* code, std::string message) {
    return Verdict{Severity::kProblem, code, fmt::format("{}; it said: {}", message, error.line)};
  };
  switch (error.kind) {
    case BindError::Kind::kNameNotAccepted: return problem("name-not-accepted", "the program could not make an address of the name that it was to listen on");
    case BindError::Kind::kWildcardsCollide:
      return problem("wildcards-collide", "the program was to listen on 0.0.0.0 and on [::], and its [::] takes IPv4 already");
    case BindError::Kind::kAddressInUse: return problem("address-in-use", fmt::format("port {} or another that the program wants is taken", port));
    case BindError::Kind::kPermissionDenied:
      return problem("privileged-port", "the program's user may not listen on a port below 1024");
    case BindError::Kind::kAddressNotHere: return problem("address-not-here", "the program was to listen on an address that the machine does not have");
    case BindError::Kind::kFamilyNotSupported: return problem("family-not-supported", "the program made an IPv4 socket and was given an IPv6 address");
  }
  return {};
}

bool is_debug_port(const MachineView& view, const BoundSocket& socket) {
  struct DebugPort {
    std::uint16_t port;
    std::string_view runtime;  ///< of kRuntimes; empty: whatever listens there
  };
  constexpr DebugPort kPorts[] = {{2345, {}}, {2375, {}}, {5005, "java"}, {5678, "python"}, {6060, {}}, {9222, {}}, {9229, "node"}, {15672, "beam.smp"}};
  const auto found = std::find_if(std::begin(kPorts), std::end(kPorts), [&](const DebugPort& one) { return one.port == socket.port; });
  if (found == std::end(kPorts)) return false;
  const netns::GuestProcess* owner = netns::find_owner(view.processes, socket);
  const std::string_view runtime = owner ? runtime_of(*owner) : std::string_view();
  return found->runtime.empty() || runtime.empty() || runtime == found->runtime;
}

bool is_service_of_machine(const MachineView& view, const BoundSocket& socket) {
  // Of the exporters of a node, of StatsD, Redis, memcached and PostgreSQL.
  constexpr std::uint16_t kMetricsPorts[] = {9100, 9102, 9121, 9150, 9187};
  if (is_debug_port(view, socket)) return true;
  if (std::find(view.metrics_ports.begin(), view.metrics_ports.end(), socket.port) != view.metrics_ports.end()) return true;
  const netns::GuestProcess* owner = netns::find_owner(view.processes, socket);
  const bool is_exporter = owner && owner->name.find("_export") != std::string::npos;  // the kernel cuts names
  return is_exporter || std::find(std::begin(kMetricsPorts), std::end(kMetricsPorts), socket.port) != std::end(kMetricsPorts);
}

const BoundSocket* main_socket(const MachineView& view) {
  // Servers that an app has beside itself as a rule: their clients are programs.
  constexpr std::uint16_t kBehindApps[] = {22, 25, 53, 3306, 4222, 5432, 5672, 6379, 6432, 9042, 9092, 11211, 26379, 27017};
  auto is_main_program = [&](const netns::GuestProcess* owner) {
    if (!owner || view.processes.empty()) return false;
    return owner->pid == view.processes.front().pid || top_of(view, *owner) == view.processes.front().pid;
  };
  auto rank = [&](const BoundSocket& socket) {
    const bool behind = std::find(std::begin(kBehindApps), std::end(kBehindApps), socket.port) != std::end(kBehindApps);
    return std::tuple(is_service_of_machine(view, socket), scope_of(socket, view.addresses) == Scope::kLoopback,
                      !is_main_program(netns::find_owner(view.processes, socket)), behind);
  };
  const BoundSocket* best = nullptr;
  for (const BoundSocket& socket : view.sockets)
    if (socket.protocol == BoundSocket::Protocol::kTcp && !is_side_door(view, socket) && (!best || rank(socket) < rank(*best))) best = &socket;
  return best;
}

bool is_side_door(const MachineView& view, const BoundSocket& socket) {
  if (is_debug_port(view, socket) && scope_of(socket, view.addresses) == Scope::kLoopback) return true;
  const netns::GuestProcess* owner = netns::find_owner(view.processes, socket);
  // Erlang's nodes find each other by epmd, and meet on a port that the kernel chose (ip_local_port_range).
  // RabbitMQ's has a number of its own.
  constexpr std::uint16_t kFirstChosenPort = 32768, kRabbitDistribution = 25672;
  return owner && (owner->name == "epmd" || (owner->name == "beam.smp" && (socket.port >= kFirstChosenPort || socket.port == kRabbitDistribution)));
}

std::vector<BoundSocket> sockets_on(const MachineView& view, BoundSocket::Protocol protocol, std::uint16_t port) {
  std::vector<BoundSocket> found;
  for (const BoundSocket& socket : view.sockets)
    if (socket.protocol == protocol && socket.port == port) found.push_back(socket);
  return found;
}

std::string owner_of(const MachineView& view, const BoundSocket& socket) {
  const netns::GuestProcess* owner = netns::find_owner(view.processes, socket);
  return owner ? fmt::format("{} (pid {})", owner->name, owner->pid) : "a process that is gone";
}

std::optional<std::string> split_port(const MachineView& view, std::uint16_t port) {
  const BoundSocket *ipv4 = nullptr, *ipv6 = nullptr;
  for (const BoundSocket& socket : view.sockets) {
    if (socket.protocol != BoundSocket::Protocol::kTcp || socket.port != port) continue;
    const Scope scope = scope_of(socket, view.addresses);
    // Of several that fit, the kernel prefers the one with the exact address.
    if (takes_private_ipv4(scope) && (!ipv4 || scope == Scope::kPrivateIpv4 || (scope == Scope::kIpv4Wildcard && scope_of(*ipv4, view.addresses) == Scope::kDualWildcard))) ipv4 = &socket;
    if (takes_six_pn(scope) && (!ipv6 || scope == Scope::kSixPn)) ipv6 = &socket;
  }
  if (!ipv4 || !ipv6 || ipv4->inode == ipv6->inode) return std::nullopt;
  const netns::GuestProcess* first = netns::find_owner(view.processes, *ipv4);
  const netns::GuestProcess* second = netns::find_owner(view.processes, *ipv6);
  // Workers of one program share its sockets or have their own; only another program is a surprise.
  if (!first || !second || are_one_program(view, *first, *second)) return std::nullopt;
  return fmt::format("over IPv4 port {} is {}'s ({}), and over IPv6 {}'s ({})", port, owner_of(view, *ipv4), endpoint(*ipv4), owner_of(view, *ipv6),
                     endpoint(*ipv6));
}

Verdict judge_tcp(const MachineView& view, Path path, std::uint16_t port, Reach reach, bool expected) {
  const std::vector<BoundSocket> on_port = sockets_on(view, BoundSocket::Protocol::kTcp, port);
  const BindError* bind_error = bind_error_of(view, port);
  const Severity unreachable = expected ? Severity::kProblem : Severity::kNote;
  auto lower_if_unexpected = [&](Verdict verdict) {
    if (!expected && (verdict.severity == Severity::kProblem || verdict.severity == Severity::kPending)) verdict.severity = Severity::kNote;
    return verdict;
  };
  if (view.not_running)
    return lower_if_unexpected(bind_error ? judge_bind_error(view, port) : Verdict{Severity::kProblem, "not-running", *view.not_running});
  if (reach == Reach::kReachable)
    return {Severity::kOk, "ok", on_port.empty() ? "reachable" : fmt::format("{} listens on {}", owners_of(view, on_port), endpoints(on_port))};
  if (!on_port.empty()) {
    if (reach == Reach::kUntried) return {Severity::kPending, "refused", "not tried yet"};
    Cause cause = cause_on_port(view, path, port, reach, on_port);
    return {unreachable, cause.code, std::move(cause.message)};
  }
  std::vector<BoundSocket> elsewhere, side_doors;
  for (const BoundSocket& socket : view.sockets)
    if (socket.protocol == BoundSocket::Protocol::kTcp) (is_side_door(view, socket) ? side_doors : elsewhere).push_back(socket);
  // It still runs and may try again. One that went to another port instead has told of the first one, too.
  if (bind_error && (elsewhere.empty() || names_port(bind_error->line, port)))
    return lower_if_unexpected(judge_bind_error(view, port));
  if (!elsewhere.empty()) {
    const bool loopback = std::all_of(elsewhere.begin(), elsewhere.end(), [&](auto& s) { return scope_of(s, view.addresses) == Scope::kLoopback; });
    const std::string owner = owner_of(view, *main_socket(view));
    const auto others = std::stable_partition(elsewhere.begin(), elsewhere.end(), [&](auto& s) { return owner_of(view, s) == owner; });
    const std::vector<BoundSocket> owned(elsewhere.begin(), others), foreign(others, elsewhere.end());
    return {unreachable, "wrong-port", fmt::format("nothing listens on port {}; {} listens on {}{}{}", port, owner, endpoints(owned),
                                                   foreign.empty() ? "" : fmt::format(", and {} on {}", owners_of(view, foreign), endpoints(foreign)),
                                                   loopback ? ", another port and loopback only" : "")};
  }
  const auto udp = sockets_on(view, BoundSocket::Protocol::kUdp, port);
  if (!udp.empty())
    return {unreachable, "udp-only", fmt::format("{} has only a UDP socket on port {}, and the service is TCP", owner_of(view, udp.front()), port)};
  return {expected ? Severity::kPending : Severity::kNote, "nothing-listening",
          fmt::format("the program runs, and nothing listens on any TCP port yet{} (expected: {})",
                      side_doors.empty() ? "" : fmt::format(" but on {}, which is the runtime's own", endpoints(side_doors)), port)};
}

}  // namespace flylocal::report
