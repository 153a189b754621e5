#include "dns/tcp_connection.hpp"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace flylocal::dns {
namespace {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLengthSize = 2;  // RFC 1035 4.2.2
// More is read when the next query says that it is longer.
constexpr std::size_t kReadSize = 4096;
constexpr std::size_t kMaxUnanswered = 64;
constexpr std::size_t kMaxQueuedSize = 256 * 1024;

/// The peer's address, an IPv4 one as IPv4-mapped; "::" when it is gone already.
asio::ip::address_v6 address_of(const TcpSocket& socket) {
  boost::system::error_code gone;
  const asio::ip::address address = socket.remote_endpoint(gone).address();
  return address.is_v6() ? address.to_v6() : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
}

}  // namespace

TcpConnection::TcpConnection(TcpSocket socket, NetworkId network, QueryService& service,
                             std::chrono::milliseconds idle_timeout)
    : socket_(std::move(socket)),
      network_(network),
      service_(service),
      idle_timeout_(idle_timeout),
      client_(address_of(socket_)),
      wake_writer_(socket_.get_executor(), Timer::time_point::max()),
      wake_reader_(socket_.get_executor(), Timer::time_point::max()) {}

Task<> TcpConnection::run(std::shared_ptr<TcpConnection> self) {
  co_await (self->read_queries() && self->write_answers());
  self->stop();
}

void TcpConnection::stop() {
  boost::system::error_code ignored;  // close(2) frees the descriptor whatever it returns
  socket_.close(ignored);
  wake_reader_.cancel();
  wake_writer_.cancel();
}

bool TcpConnection::is_congested() const {
  return unanswered_ >= kMaxUnanswered || queued_.size() >= kMaxQueuedSize;
}

Task<> TcpConnection::read_queries() {
  std::vector<std::uint8_t> buffer(kReadSize);
  std::size_t filled = 0;
  auto last_query = Clock::now();
  while (socket_.is_open()) {
    std::size_t taken = 0;
    std::size_t needed = kLengthSize;
    while (socket_.is_open() && filled - taken >= kLengthSize) {
      needed = kLengthSize + get_u16(buffer, taken);
      if (filled - taken < needed) break;
      take_query(std::span(buffer).subspan(taken + kLengthSize, needed - kLengthSize));
      taken += needed;
      needed = kLengthSize;
      last_query = Clock::now();
      while (socket_.is_open() && is_congested()) co_await wake_reader_.async_wait(as_result);
    }
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(taken),
              buffer.begin() + static_cast<std::ptrdiff_t>(filled), buffer.begin());
    filled -= taken;
    if (needed > buffer.size()) buffer.resize(needed);

    // From one whole query to the next, so that a query in single octets does not hold the connection.
    auto left = last_query + idle_timeout_ - Clock::now();
    if (left <= Clock::duration::zero()) break;
    auto first = co_await (read_some(asio::buffer(buffer) + filled) || sleep_for(left));
    auto* size = std::get_if<0>(&first);
    if (!size || *size == 0) break;
    filled += *size;
  }
  reading_ended_ = true;
  wake_writer_.cancel();
}

void TcpConnection::take_query(std::span<const std::uint8_t> message) {
  auto outcome = service_.respond(message, network_, client_, Transport::tcp, response_);
  if (outcome.kind == Outcome::Kind::drop) {
    // What has no answer over UDP has none here either, and a peer that sends it does not speak DNS.
    stop();
    return;
  }
  ++unanswered_;
  if (outcome.kind != Outcome::Kind::forward) return queue(response_);
  service_.forward(
      outcome.query, network_, client_, Transport::tcp,
      [self = shared_from_this()](std::span<const std::uint8_t> response) { self->queue(response); });
}

void TcpConnection::queue(std::span<const std::uint8_t> response) {
  put_u16(queued_, static_cast<std::uint16_t>(response.size()));
  queued_.insert(queued_.end(), response.begin(), response.end());
  ++queued_answers_;
  wake_writer_.cancel();
}

Task<> TcpConnection::write_answers() {
  std::vector<std::uint8_t> sending;
  while (socket_.is_open()) {
    if (queued_.empty()) {
      if (reading_ended_ && unanswered_ == 0) break;
      co_await wake_writer_.async_wait(as_result);
      continue;
    }
    sending.clear();
    sending.swap(queued_);
    std::size_t answers = std::exchange(queued_answers_, 0);
    auto first = co_await (write_all(sending) || sleep_for(idle_timeout_));
    auto* written = std::get_if<0>(&first);
    if (!written || !*written) {
      // Nobody reads the answers, so nobody needs the rest.
      stop();
      break;
    }
    unanswered_ -= answers;
    wake_reader_.cancel();
  }
}

Task<std::size_t> TcpConnection::read_some(asio::mutable_buffer space) {
  auto [error, size] = co_await socket_.async_read_some(space, as_result);
  co_return error ? 0 : size;
}

Task<bool> TcpConnection::write_all(const std::vector<std::uint8_t>& octets) {
  auto [error, size] = co_await asio::async_write(socket_, asio::buffer(octets), as_result);
  co_return !error;
}

}  // namespace flylocal::dns
