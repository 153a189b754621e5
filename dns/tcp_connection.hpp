#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dns/query_service.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

/// One TCP connection (RFC 7766). A reader takes queries as fast as they come, a writer sends answers as they
/// become ready: those that have to be forwarded do not hold up the others (6.2.1.1, 7). The reader pauses
/// while too much is unanswered or unread. After the peer's FIN what it asked before is still answered.
class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  /// `service` has to live until run() has ended.
  TcpConnection(TcpSocket socket, NetworkId network, QueryService& service,
                std::chrono::milliseconds idle_timeout);

  /// Ends when the peer has closed, has been idle for too long, or after stop().
  static Task<> run(std::shared_ptr<TcpConnection> self);
  void stop();

 private:
  Task<> read_queries();
  Task<> write_answers();
  Task<std::size_t> read_some(asio::mutable_buffer space);
  Task<bool> write_all(const std::vector<std::uint8_t>& octets);
  void take_query(std::span<const std::uint8_t> message);
  void queue(std::span<const std::uint8_t> response);
  bool is_congested() const;

  TcpSocket socket_;
  NetworkId network_;
  QueryService& service_;
  std::chrono::milliseconds idle_timeout_;
  asio::ip::address_v6 client_;
  bool reading_ended_ = false;
  std::size_t unanswered_ = 0;        // queries taken whose answer is not written yet
  std::size_t queued_answers_ = 0;    // of these, the ones in `queued_`
  std::vector<std::uint8_t> queued_;  // answers with their length prefixes
  std::vector<std::uint8_t> response_;
  // Never expire; cancelling one wakes the coroutine that waits on it.
  Timer wake_writer_;
  Timer wake_reader_;
};

}  // namespace flylocal::dns
