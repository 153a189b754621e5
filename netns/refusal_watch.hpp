#pragma once

#include <boost/asio/ip/address_v6.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::netns {

/// A TCP connect over IPv6 that the server's kernel refused: nothing listened on that address and port.
struct Refusal {
  boost::asio::ip::address_v6 server;
  std::uint16_t port = 0;
  boost::asio::ip::address_v6 client;
  friend bool operator<(const Refusal& a, const Refusal& b) {
    return std::tie(a.server, a.port, a.client) < std::tie(b.server, b.port, b.client);
  }
};

/// The refusal that a packet of RefusalWatch's filter is, from the beginning of its IPv6 header; nothing for one that is
/// shorter than that header and the TCP header behind it. What the filter looked at is not looked at again.
std::optional<Refusal> read_refusal(std::span<const unsigned char> packet);

/// Sees the refusals that pass the bridges of a network namespace. A packet socket (packet(7)) on all interfaces whose
/// filter lets through only what answers a SYN that nobody listens for: RST and ACK with sequence number 0 (RFC 9293
/// 3.10.7.1). What is not fetched in time is lost; programs dial again.
class RefusalWatch {
 public:
  /// In the calling thread's namespace; next() may be called from any thread, one at a time.
  static Result<RefusalWatch> open();
  /// The next one without waiting; nothing when there is none. A refusal may come twice.
  std::optional<Refusal> next();

 private:
  explicit RefusalWatch(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

}  // namespace flylocal::netns
