#pragma once

#include <span>
#include <string>
#include <vector>

#include "proxy/balancer.hpp"
#include "proxy/worker.hpp"

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
    no_machine,    ///< the service has no started machine, and none that may be woken
    unreachable,   ///< no machine took the connection: `failed` says why
    overloaded,    ///< every healthy machine stayed at its hard limit until Options::queue_limit was over
    queue_full,    ///< as many as Options::max_waiting were waiting already
    unhealthy,     ///< no machine passed its service checks until Options::queue_limit was over
    cordoned,      ///< every machine stayed cordoned until Options::queue_limit was over
    wake_failed,   ///< a machine was to be started, but will not come; no other could serve
    wake_late,     ///< a machine was to be started, but did not come until Options::wake_patience was over
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
  /// Why this machine, or why none. Its pointer is valid as long as `snapshot` is.
  Choice choice;
  /// The last failure of each machine that was tried.
  std::vector<FailedAttempt> failed;
  /// Attempts to connect that failed; the one that succeeded comes on top of them.
  std::uint32_t failures = 0;
  /// The machine that was started while this request waited for it, whichever took it then; empty: none.
  std::string woken;
  std::chrono::nanoseconds wake_time{0};   ///< spent waiting for a machine to start
  std::chrono::nanoseconds queue_time{0};  ///< spent waiting for room at a machine, or for a healthy one
};

/// How to get a connection.
enum class Reuse {
  any,         ///< a pooled connection will do
  known_open,  ///< a pooled one if the kernel says it is open, as the request cannot be repeated
  shared_only, ///< only one of HTTP/2, which tells what the machine has not read: no byte can be sent again
  none,
};

/// What a session wants. The views and the span are valid until dial() has ended.
struct DialRequest {
  std::string_view host;
  /// Where the request entered the platform; empty: the port's own edge.
  std::string_view edge_region = {};
  Reuse reuse = Reuse::none;
  /// Machines that have broken this very request already. They are not tried again.
  std::span<const std::string> broken = {};
};

/// Tries the machine that the balancer chooses, then the others. When all refused it tries them again, with
/// pauses, until Options::connect_patience is over: a machine that was just started may not listen yet. It does
/// not do so when the cause is known for every machine that refused.
/// While all machines that could serve are at or above their soft limit, or none could, and the service has a
/// sleeper, the nearest is woken and waited for; the request goes to it. One is woken at a time. Where that does
/// not help, a machine below its hard limit serves.
/// While no healthy machine is below its hard limit the request waits in the order of arrival.
/// Uses the session's deadline. `result` is a new one, and is in its final state when dial() has ended.
Flow<> dial(Worker& worker, Session& session, DialRequest request, Dialled& result);

/// Whether a request that `broken` machines did not answer may find another one: a machine that is routed to
/// now, or a sleeper when none of `broken` runs any more.
bool has_other_machine(const Worker& worker, const Session& session, std::string_view host,
                       std::span<const std::string> broken);

}  // namespace flylocal::proxy
