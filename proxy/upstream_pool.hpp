#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/io/socket.hpp"
#include "proxy/routing.hpp"
#include "proxy/stats.hpp"

namespace flylocal::proxy {

class UpstreamPool;

/// A connection to a machine. While a session uses it, its news go to the session; in the pool it looks
/// after itself and leaves as soon as the machine closes it or its time is over.
class UpstreamConnection final : private Turn {
 public:
  UpstreamConnection(Poller& poller, Turn& owner, const asio::ip::tcp::endpoint& machine)
      : socket_(poller, owner), machine_(machine), idle_limit_(poller, *this) {}

  /// Begins to connect to the machine from the address it knows the proxy by; the channel is writable or
  /// broken when that has ended. Returns an errno, 0 when begun.
  int begin_connect(const Upstream& upstream);
  /// The errno that the connect ended with, 0 when it succeeded.
  int connect_result() const;
  /// Asks the kernel whether the machine has already closed: for requests that cannot be sent a second time.
  bool closed_by_machine() const;
  /// Remembers what the machine's kernel has taken so far; call it before a request whose fate may be asked for.
  void mark_request();
  /// What became of a request on a connection that the machine has closed without an answer.
  enum class Fate {
    unknown,    ///< the machine's program may have read them
    undecided,  ///< the machine's kernel has not said yet; there will be news on the channel
    dropped,    ///< no program can have read them: the machine had closed before they came
  };
  Fate fate_of_request() const;

  Channel& channel() { return socket_; }
  const Channel& channel() const { return socket_; }

 private:
  friend class UpstreamPool;
  void take_turn() override;

  Socket socket_;
  asio::ip::tcp::endpoint machine_;
  Deadline idle_limit_;
  std::uint64_t acknowledged_ = 0;
  UpstreamPool* pool_ = nullptr;
};

/// Connections to machines that wait for their next request (platform.md 4.6).
class UpstreamPool {
 public:
  UpstreamPool(std::chrono::milliseconds idle_limit, Stats& stats) : idle_limit_(idle_limit), stats_(stats) {}

  /// The connection that was put back last, which is the least likely to be closed; null when there is none.
  std::unique_ptr<UpstreamConnection> take(const asio::ip::tcp::endpoint& machine, Turn& owner);
  void put_back(std::unique_ptr<UpstreamConnection> connection);
  /// Drops the connections to machines that the snapshot does not have.
  void keep_only(const RoutingSnapshot& snapshot);
  void clear();

 private:
  friend class UpstreamConnection;
  using Idle = std::vector<std::unique_ptr<UpstreamConnection>>;
  using Key = std::uint64_t;

  static Key key(const asio::ip::tcp::endpoint& machine);
  void drop(UpstreamConnection& connection);

  std::chrono::milliseconds idle_limit_;
  Stats& stats_;
  std::unordered_map<Key, Idle> idle_;
};

}  // namespace flylocal::proxy
