#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flylocal/base/async.hpp"
#include "flylocal/base/unique_fd.hpp"
#include "proxy/request_log.hpp"
#include "proxy/routing.hpp"
#include "proxy/stats.hpp"

/// Fly Proxy, run locally: accepts on sockets that were made elsewhere, connects to machines from the threads it runs
/// on. They may live in another network namespace than the listening sockets.
namespace flylocal::proxy {

namespace tls {
class CertificateAuthority;
}

struct Options {
  /// The region that accepts the connections: Fly-Region, and the end of Fly-Request-Id.
  std::string edge_region = "dev";
  /// The answer's `server` field.
  std::string server = "Fly/flylocal";
  /// Answers that the proxy gives by itself have no body, as on the platform (platform.md 4.8).
  bool faithful_errors = false;
  /// How long a request waits for a machine that refuses connections because it is still starting (PM05).
  std::chrono::milliseconds connect_patience{8000};
  /// How long a request waits for a machine that was woken for it (platform.md 4.9). A boot takes seconds; a
  /// minute is what clients and gateways commonly wait for an answer.
  std::chrono::milliseconds wake_patience{60000};
  /// How long a request waits while no healthy machine is below its hard limit (platform.md 4.6). Shorter than
  /// the minute after which clients commonly give up, so that they see the answer that says why.
  std::chrono::milliseconds queue_limit{30000};
  /// Requests that wait for a machine, for each service; further ones are turned away. Each costs a client's
  /// connection, so a thousand of them some 20 MB.
  std::size_t max_waiting = 1000;
  /// Asks for a sleeping machine to be started: called on a worker's thread, once until the machine is an
  /// Upstream, or again when it has not come and another request needs it. Must not block. Empty: none is woken.
  std::function<void(std::string_view machine_id)> on_wake;
  /// One attempt to connect.
  std::chrono::milliseconds connect_limit{5000};
  /// From the first byte of a request's head to its last.
  std::chrono::milliseconds head_limit{60000};
  /// Between two requests of a connection, and before the first.
  std::chrono::milliseconds keep_alive_limit{60000};
  /// How long an unused connection to a machine is kept (platform.md 4.6).
  std::chrono::milliseconds upstream_idle_limit{4000};
  /// Signs the certificates of ports with the tls and pg_tls handlers. Null: their clients are turned away.
  std::shared_ptr<const tls::CertificateAuthority> tls;
  /// From a client's connection to the end of its TLS handshake.
  std::chrono::milliseconds tls_handshake_limit{10000};
  /// Clients beyond it wait in the kernel's queue until another one leaves.
  std::size_t max_clients = 20000;
  /// Called after each request on the thread of the worker that served it; must not block. Costs nothing when empty.
  std::function<void(const RequestRecord&)> on_request;
};

/// Any thread may call any member, but for what says otherwise.
class Proxy {
 public:
  /// One worker for each executor (an io_context that one thread runs), at least one. The first one accepts all clients;
  /// each client stays with the worker that it is given to.
  Proxy(const std::vector<Executor>& workers, Options options);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  /// shutdown() must have ended.
  ~Proxy();

  /// From its return on no machine is chosen by an older snapshot; one that was chosen before counts the request in its
  /// UpstreamLoad already.
  void publish(std::shared_ptr<const RoutingSnapshot> snapshot);

  /// Accepts clients on `listening_socket` (bound, listening) for the PublishedPort of the same id. A client
  /// of a port that the snapshot does not have is turned away.
  void listen(ListenerId id, UniqueFd listening_socket);

  /// Tells the clients of the machine's WebSockets that it is going away (close code 1001), so that they can leave
  /// before it is stopped (platform.md 4.6).
  void announce_leave(std::string machine_id);

  /// Closes the listening sockets and idle clients at once, lets requests in progress end until `grace` is
  /// over, then breaks them off. Ends when nothing is left. Call it once, on the first worker's thread.
  Task<> shutdown(std::chrono::milliseconds grace);

  Stats stats() const;

  /// The number that the next request to be logged gets.
  std::uint64_t logged_end() const;
  /// What RequestLog::since() gives.
  std::vector<LoggedRequest> logged_since(std::uint64_t number, std::size_t most) const;

 private:
  struct Core;  // keeps epoll, buffers and sessions out of every file that wires the proxy
  std::shared_ptr<Core> core_;
};

}  // namespace flylocal::proxy
