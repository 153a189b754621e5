#pragma once

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
};

/// What was seen of a machine at one moment, for all of its ports.
struct MachineView {
  MachineAddresses addresses;
  /// Why the machine does not run, in words; nothing while it does.
  std::optional<std::string> not_running;
  /// What the program itself said of a failure to listen.
  std::optional<BindError> bind_error;
  std::vector<netns::BoundSocket> sockets;
  std::vector<netns::GuestProcess> processes;
};

/// The sockets of one protocol on `port`.
std::vector<netns::BoundSocket> sockets_on(const MachineView& view, netns::BoundSocket::Protocol protocol, std::uint16_t port);

/// "node (pid 42)"
std::string owner_of(const MachineView& view, const netns::BoundSocket& socket);

/// The verdict on a TCP port for one of the paths kProxy, kPublished (as kProxy) and k6pn, from both kinds of
/// evidence: who can connect is told by `reach`, a real connect; the sockets tell why not. An unreachable port is a
/// problem where it is `expected` and a note elsewhere. Pure. Rules: bindcatalog section 5.
Verdict judge_tcp(const MachineView& view, Path path, std::uint16_t port, Reach reach, bool expected);

/// The verdict on a port of a machine whose program could not listen: view.bind_error, which has to be there.
Verdict judge_bind_error(const MachineView& view, std::uint16_t port);

/// Whether debuggers and administration use this port as a rule.
bool is_debug_port(std::uint16_t port);

/// Whether the socket serves the runtime itself, so that nobody meant it as the program's port: a debugger on loopback,
/// epmd, the port on which a node of Erlang meets others.
bool is_side_door(const MachineView& view, const netns::BoundSocket& socket);

/// Whether IPv4 and IPv6 clients of the port meet different programs; a sentence that says so.
std::optional<std::string> split_port(const MachineView& view, std::uint16_t port);

}  // namespace flylocal::report
