#pragma once

#include <string>
#include <vector>

#include "proxy/balancer.hpp"
#include "proxy/edge.hpp"

/// From a host name to a connection with one of its service's machines.
namespace flylocal::proxy {

/// A machine that could not be connected to.
struct FailedAttempt {
  std::string machine;
  asio::ip::tcp::endpoint address;
  int error = 0;        ///< errno
  Finding finding;  ///< what the bind report knows of the cause
};

struct Dialled {
  enum class Outcome {
    connected,
    unpublished,   ///< the port is not in the snapshot
    unknown_host,  ///< the port does not know the host name and has no default
    no_machine,    ///< the service has no started machine
    unreachable,   ///< no machine took the connection: `failed` says why
    given_up,      ///< the client left, or the proxy is ending
  };
  Outcome outcome = Outcome::given_up;
  /// Keeps `service` and `upstream` in being.
  std::shared_ptr<const RoutingSnapshot> snapshot;
  const PublishedPort* port = nullptr;
  const Backend* backend = nullptr;
  const Service* service = nullptr;
  const Upstream* upstream = nullptr;
  std::unique_ptr<UpstreamConnection> connection;
  bool reused = false;
  LoadTicket load;
  /// Of the last round.
  std::vector<FailedAttempt> failed;
  std::uint32_t failures = 0;
};

/// How to get a connection.
enum class Reuse {
  any,         ///< a pooled connection will do
  known_open,  ///< a pooled one if the kernel says it is open, as the request cannot be repeated
  none,
};

/// Tries the least loaded machine first, then the others. When none takes the connection it tries all of them
/// again, with pauses, until Options::connect_patience is over: a machine that was just started may not
/// listen yet. It does not wait when the cause is known for every machine that refused. Uses the session's
/// deadline.
Task<Dialled> dial(Edge& edge, Session& session, std::string_view host, Reuse reuse);

}  // namespace flylocal::proxy
