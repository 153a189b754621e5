#include "dns/udp_listener.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>

namespace flylocal::dns {
namespace {

using namespace std::chrono_literals;

// Queries served in a row before the io_context's other work gets its turn.
constexpr int kBatch = 64;
constexpr auto kPauseAfterFailure = 100ms;

/// An IPv4 client is named by its IPv4-mapped address.
asio::ip::address_v6 client_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET)
    return asio::ip::make_address_v6(asio::ip::v4_mapped, asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr)));
  asio::ip::address_v6::bytes_type octets;
  std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, octets.size());
  return asio::ip::address_v6(octets);
}

}  // namespace

Task<> UdpListener::run(std::shared_ptr<UdpListener> self) {
  while (self->socket_.is_open()) {
    auto [error] = co_await self->socket_.async_wait(UdpSocket::wait_read, as_result);
    if (!self->socket_.is_open()) co_return;
    auto receipt = error ? Receipt::failed : Receipt::served;
    for (int i = 0; i < kBatch && receipt == Receipt::served; ++i) receipt = self->serve_one();
    if (receipt == Receipt::failed) {
      spdlog::warn("dns: receive over UDP: {}", error ? error.message() : std::strerror(errno));
      co_await sleep_for(kPauseAfterFailure);
    }
  }
}

void UdpListener::stop() {
  boost::system::error_code ignored;  // close(2) frees the descriptor whatever it returns
  socket_.close(ignored);
}

UdpListener::Receipt UdpListener::serve_one() {
  Peer peer;
  iovec data{query_.data(), query_.size()};
  msghdr header{};
  header.msg_name = &peer.address;
  header.msg_namelen = sizeof peer.address;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  ssize_t size = ::recvmsg(socket_.native_handle(), &header, MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EINTR) return Receipt::served;
    return errno == EAGAIN ? Receipt::empty : Receipt::failed;
  }
  peer.size = header.msg_namelen;
  std::span<const std::uint8_t> message(query_.data(), static_cast<std::size_t>(size));
  // Of a datagram that did not fit the header is left, which makes it FORMERR.
  if (header.msg_flags & MSG_TRUNC) message = message.first(kHeaderSize);

  auto outcome = service_.respond(message, network_, client_of(peer.address), Transport::udp, response_);
  if (outcome.kind == Outcome::Kind::forward) {
    service_.forward(outcome.query, network_, client_of(peer.address), Transport::udp,
                     [self = shared_from_this(), peer](std::span<const std::uint8_t> response) {
                       self->send(response, peer);
                     });
  } else if (outcome.kind != Outcome::Kind::drop) {
    send(response_, peer);
  }
  return Receipt::served;
}

void UdpListener::send(std::span<const std::uint8_t> response, const Peer& peer) {
  if (!socket_.is_open()) return;
  // Over UDP an answer that cannot be sent now is a lost one: the asker asks again.
  (void)::sendto(socket_.native_handle(), response.data(), response.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&peer.address), peer.size);
}

}  // namespace flylocal::dns
