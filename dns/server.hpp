#pragma once

#include <chrono>
#include <memory>

#include "dns/forwarder.hpp"
#include "dns/query_log.hpp"
#include "dns/question_journal.hpp"
#include "dns/responder.hpp"
#include "dns/statistics.hpp"
#include "dns/zone.hpp"
#include "flylocal/base/async.hpp"
#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::dns {

struct ServerOptions {
  /// A TCP connection without a complete query, or with an answer nobody reads, is closed after this
  /// (RFC 7766 6.2.3).
  std::chrono::milliseconds tcp_idle_timeout{10'000};
  /// Open TCP connections of one network; further ones wait in the kernel's queue.
  std::size_t max_tcp_connections = 128;
  /// What the server calls itself.
  ResponderOptions responder{};
};

/// The server behind `fdaa::3`: answers `.internal` and `localhost` from the published snapshot and passes
/// everything else to the forwarder. Which network asks is told by the socket on which the query came.
class Server {
 public:
  /// `forwarder` has to outlive the server.
  Server(Executor executor, Forwarder& forwarder, ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// shutdown() has to be awaited first, if a network was added.
  ~Server();

  /// Makes `snapshot` the truth for every query read from now on. From any thread.
  void publish(std::shared_ptr<const ZoneSnapshot> snapshot);

  /// Serves on `udp` and `tcp`, which are bound (the server calls listen(2)). From any thread; may be called
  /// again for a further address of the same network. Fails when a descriptor is not such a socket.
  Result<> add_network(NetworkId network, UniqueFd udp, UniqueFd tcp);

  const Statistics& statistics() const;

  /// Changes when questions() does. From any thread.
  std::uint64_t questions_version() const;
  /// Who asked for which family of addresses. On the server's executor.
  std::vector<AddressQuestion> questions() const;

  /// The number that the next query to be logged gets. From any thread.
  std::uint64_t logged_end() const;
  /// What QueryLog::since() gives. From a coroutine on any thread, which goes on where it was.
  Task<std::vector<QueryRecord>> logged_since(std::uint64_t number, std::size_t most) const;

  /// Closes all sockets and ends when nothing of the server runs any more. On the server's executor.
  Task<> shutdown();

 private:
  struct Impl;  // shared with what is posted to the executor
  std::shared_ptr<Impl> impl_;
};

}  // namespace flylocal::dns
