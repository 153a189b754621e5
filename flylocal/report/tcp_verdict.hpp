#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/report/bind_error.hpp"
#include "flylocal/report/report.hpp"
#include "flylocal/report/scope.hpp"
#include "netns/socket_inventory.hpp"

namespace flylocal::report {

/// A verdict before it is put into a Result.
struct Verdict {
  Severity severity = Severity::kPending;
  std::string code;
  std::string message;
  std::string fix = {};  ///< what to do, where what was seen tells more than code and program do
};

/// What was seen of a machine at one moment, for all of its ports.
struct MachineView {
  MachineAddresses addresses;
  /// Why the machine does not run, in words; nothing while it does.
  std::optional<std::string> not_running;
  /// What the program itself said of a failure to listen.
  std::optional<BindError> bind_error;
  /// What the program said last, oldest first, each line once.
  std::vector<std::string> said;
  std::vector<netns::BoundSocket> sockets;
  std::vector<netns::GuestProcess> processes;
  /// Of each process its parent, both as the machine sees them.
  std::map<pid_t, pid_t> parents;
  /// The ports of fly.toml's [metrics].
  std::vector<std::uint16_t> metrics_ports;
};

/// The sockets of one protocol on `port`.
std::vector<netns::BoundSocket> sockets_on(const MachineView& view, netns::BoundSocket::Protocol protocol, std::uint16_t port);

/// "node (pid 42)"
std::string owner_of(const MachineView& view, const netns::BoundSocket& socket);

/// The verdict on a TCP port for one of the paths kProxy, kPublished (as kProxy) and k6pn, from both kinds of
/// evidence: who can connect is told by `reach`, a real connect; the sockets tell why not. An unreachable port is a
/// problem where it is `expected` and a note elsewhere. Pure. Rules: bindcatalog section 5.
Verdict judge_tcp(const MachineView& view, Path path, std::uint16_t port, Reach reach, bool expected);

/// What the program said of a failure to listen on `port`; null where it said nothing of that, or may have meant a file.
const BindError* bind_error_of(const MachineView& view, std::uint16_t port);

/// The verdict on a port of a machine whose program could not listen: view.bind_error, which has to be there.
Verdict judge_bind_error(const MachineView& view, std::uint16_t port);

/// Whether debuggers and administration use the socket's port as a rule. Not where its owner runs on another runtime than the
/// debugger is for: n8n, which is of Node.js, serves on the port of Python's.
bool is_debug_port(const MachineView& view, const netns::BoundSocket& socket);

/// Whether the socket serves the runtime itself, so that nobody meant it as the program's port: a debugger on loopback,
/// epmd, the port on which a node of Erlang meets others.
bool is_side_door(const MachineView& view, const netns::BoundSocket& socket);

/// Whether the socket is for those who look after the machine and not for its visitors: a debugger, an administrator's page,
/// numbers for Prometheus.
bool is_service_of_machine(const MachineView& view, const netns::BoundSocket& socket);

/// The listening TCP socket that is most likely the one for visitors: what others can reach before what is on loopback, what
/// serves visitors before what does not, the main program's own before that of others. Null when there is none but side doors.
const netns::BoundSocket* main_socket(const MachineView& view);

/// Whether IPv4 and IPv6 clients of the port meet different programs; a sentence that says so.
std::optional<std::string> split_port(const MachineView& view, std::uint16_t port);

}  // namespace flylocal::report
