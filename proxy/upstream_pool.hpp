#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/h2/machine_connection.hpp"
#include "proxy/io/buffer.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/routing.hpp"
#include "proxy/stats.hpp"

namespace flylocal::proxy {

class UpstreamPool;

/// A connection to a machine, or a stream of one that speaks HTTP/2. While a session uses it, its news go to the
/// session; in the pool it looks after itself and leaves as soon as the machine closes it or its time is over.
class UpstreamConnection final : private Turn {
 public:
  UpstreamConnection(Poller& poller, Turn& owner, const asio::ip::tcp::endpoint& machine)
      : socket_(poller, owner), machine_(machine), idle_limit_(poller, *this) {}

  UpstreamConnection(Poller& poller, Turn& owner, const asio::ip::tcp::endpoint& machine,
                     std::unique_ptr<h2::StreamChannel> stream)
      : UpstreamConnection(poller, owner, machine) {
    stream_ = std::move(stream);
  }

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

  /// The machine has done nothing with the request and said so: it may be sent again, whatever it asks for.
  bool was_refused() const { return stream_ && stream_->was_refused(); }
  /// It should speak HTTP/2 and does not (PU01).
  bool is_not_http2() const { return stream_ && stream_->is_not_http2(); }

  Channel& channel() { return stream_ ? static_cast<Channel&>(*stream_) : socket_; }
  const Channel& channel() const { return stream_ ? static_cast<const Channel&>(*stream_) : socket_; }

 private:
  friend class UpstreamPool;
  void take_turn() override;

  Socket socket_;
  std::unique_ptr<h2::StreamChannel> stream_;  ///< instead of socket_
  asio::ip::tcp::endpoint machine_;
  Deadline idle_limit_;
  std::uint64_t acknowledged_ = 0;
  UpstreamPool* pool_ = nullptr;
};

/// The errno that a socket's connect(2) ended with, 0 when it succeeded.
int connect_result(const Socket& socket);

/// Connections to machines that wait for their next request (platform.md 4.6), and those that requests share.
class UpstreamPool {
 public:
  UpstreamPool(std::chrono::milliseconds idle_limit, Counter& idle_now) : idle_limit_(idle_limit), idle_now_(idle_now) {}

  /// The connection that was put back last, which is the least likely to be closed; null when there is none.
  std::unique_ptr<UpstreamConnection> take(const asio::ip::tcp::endpoint& machine, Turn& owner);
  /// A stream goes; its connection stays.
  void put_back(std::unique_ptr<UpstreamConnection> connection);

  /// A stream of a connection that is there; null when none has room. `known_open`: only if the kernel says that
  /// the machine has not closed it.
  std::unique_ptr<UpstreamConnection> take_stream(const asio::ip::tcp::endpoint& machine, Turn& owner,
                                                  bool known_open);
  /// A stream of a new HTTP/2 connection, which others may share if `shared`. The channel is writable or broken when
  /// the attempt to connect has ended. Returns an errno, 0 when begun.
  int open_stream(Poller& poller, BufferPool& buffers, const Upstream& upstream, Turn& owner,
                  std::chrono::milliseconds connect_limit, bool shared,
                  std::unique_ptr<UpstreamConnection>& connection);

  /// Drops the connections to machines that the snapshot does not have.
  void keep_only(const RoutingSnapshot& snapshot);
  void clear();

 private:
  friend class UpstreamConnection;
  friend class h2::MachineConnection;
  using Streaming = std::vector<std::unique_ptr<h2::MachineConnection>>;
  using Idle = std::vector<std::unique_ptr<UpstreamConnection>>;
  using Key = std::uint64_t;

  static Key key(const asio::ip::tcp::endpoint& machine);
  void drop(UpstreamConnection& connection);
  void drop(h2::MachineConnection& connection);
  void count_idle(bool more);

  std::chrono::milliseconds idle_limit_;
  Counter& idle_now_;
  std::unordered_map<Key, Idle> idle_;
  std::unordered_map<Key, Streaming> streaming_;
};

}  // namespace flylocal::proxy
