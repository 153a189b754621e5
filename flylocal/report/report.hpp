#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flylocal::report {

/// A way on which something of a machine is reached, or on which it reaches others.
enum class Path {
  kProxy,      ///< as Fly Proxy connects: from the backbone to the machine's private IPv4 address
  k6pn,        ///< as other machines connect: from a peer of the network to the 6PN address
  kPublished,  ///< as a person connects: through the port on this host and flylocal's proxy
  kUdp,        ///< a datagram to fly-global-services, with a look at where the answer comes from
  kCheck,      ///< a check of fly.toml, as Fly.io makes it
  kDns,        ///< what the machine itself asks the resolver
};

/// How a real attempt on a path ended.
enum class Reach { kReachable, kRefused, kTimedOut, kUntried };

enum class Severity {
  kOk,       ///< as it should be
  kNote,     ///< worth knowing; nothing requires it to be otherwise
  kWarning,  ///< the network is right, and something else would surprise on Fly.io
  kPending,  ///< too early to tell
  kProblem,  ///< will not work on Fly.io as it is
};

/// A socket of the machine that waits for others.
struct Listener {
  enum class Protocol { kTcp, kUdp } protocol = Protocol::kTcp;
  std::string address;  ///< without brackets
  std::uint16_t port = 0;
  bool v6_only = false;
  std::uint32_t queued = 0;   ///< TCP: connections that wait to be accepted
  std::uint32_t backlog = 0;  ///< TCP: how many may wait
  int pid = 0;                ///< of its owner, as the machine sees it; 0: no process holds it any more
  std::string process;        ///< the owner's name
  std::string command;        ///< the owner's command line
};

/// The verdict on one path to one port. `code` is stable (explanation.hpp lists all); the words may change.
struct Result {
  Path path = Path::kProxy;
  std::uint16_t port = 0;  ///< inside the machine; 0: not about one port
  std::string target;      ///< what was tried, e.g. "172.19.0.2:8080", "GET /health", "redis.internal"
  bool expected = true;    ///< whether it has to work
  Reach reach = Reach::kUntried;
  Severity severity = Severity::kPending;
  std::string code;
  std::string message;                ///< the finding in one sentence
  std::vector<std::string> evidence;  ///< what was seen, a line each
  std::string fix;                    ///< what to do, for the program that was seen; may have several lines; may be empty
};

struct MachineReport {
  std::string app, process_group, machine, region;
  std::string state;    ///< of the platform's machine states, e.g. "started"
  std::string program;  ///< what kind of program it is, where that is known: "Node.js", "nginx"
  /// From the program's start to its first listening socket.
  std::optional<std::chrono::milliseconds> listened_after;
  std::chrono::milliseconds grace_period{0};  ///< the longest of the checks'
  std::vector<Listener> listeners;            ///< by protocol, port, address
  std::vector<Result> results;
};

struct Report {
  std::vector<MachineReport> machines;
  /// Whether everything that is expected works: no problem, and nothing pending.
  bool is_good() const;
};

std::string_view name(Path path);          ///< "proxy", "6pn", "published", "udp", "check", "dns"
std::string_view name(Reach reach);        ///< "reachable", "refused", "timed out", "untried"
std::string_view name(Severity severity);  ///< "ok", "note", "warning", "pending", "problem"
std::string_view name(Listener::Protocol protocol);  ///< "tcp", "udp"

/// "127.0.0.1:8080", "[::]:8080"
std::string endpoint(const Listener& listener);

}  // namespace flylocal::report
