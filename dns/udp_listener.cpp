#include "dns/udp_listener.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace flylocal::dns {
namespace {

using namespace std::chrono_literals;

// Batches in a row before the io_context's other work gets its turn.
constexpr int kBatchesInARow = 8;
// Room for what comes while other work has its turn: over a thousand queries, each of which counts with its overhead.
constexpr int kReceiveBuffer = 1 << 20;
constexpr auto kPauseAfterFailure = 100ms;

}  // namespace

UdpListener::UdpListener(UdpSocket socket, NetworkId network, QueryService& service)
    : socket_(std::move(socket)), network_(network), service_(service), batch_(std::make_unique<UdpBatch>()) {
  // Without the privilege for it, what the host allows everybody has to do.
  if (::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
    (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
}

Task<> UdpListener::run(std::shared_ptr<UdpListener> self) {
  while (self->socket_.is_open()) {
    auto [error] = co_await self->socket_.async_wait(UdpSocket::wait_read, as_result);
    if (!self->socket_.is_open()) co_return;
    auto receipt = error ? Receipt::failed : Receipt::served;
    for (int i = 0; i < kBatchesInARow && receipt == Receipt::served; ++i) receipt = self->serve_batch();
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

UdpListener::Receipt UdpListener::serve_batch() {
  const int count = batch_->receive(socket_.native_handle());
  if (count < 0) {
    if (errno == EINTR) return Receipt::served;
    return errno == EAGAIN ? Receipt::empty : Receipt::failed;
  }
  for (int i = 0; i < count; ++i) serve(static_cast<std::size_t>(i));
  batch_->send(socket_.native_handle());
  // Askers that wait for an answer often ask again at once: a look is cheaper than a wait.
  return Receipt::served;
}

void UdpListener::serve(std::size_t index) {
  const UdpPeer& peer = batch_->peer(index);
  const auto client = peer.ip();
  auto outcome = service_.respond(batch_->query(index), network_, client, Transport::udp, batch_->answer(index));
  if (outcome.kind == Outcome::Kind::forward) {
    service_.forward(outcome.query, network_, client, Transport::udp,
                     [self = shared_from_this(), peer](std::span<const std::uint8_t> response) { self->send(response, peer); });
  } else if (outcome.kind != Outcome::Kind::drop) {
    batch_->add_answer(index);
  }
}

void UdpListener::send(std::span<const std::uint8_t> response, const UdpPeer& peer) {
  if (!socket_.is_open()) return;
  // Over UDP an answer that cannot be sent now is a lost one, and the asker asks again.
  (void)::sendto(socket_.native_handle(), response.data(), response.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&peer.address), peer.size);
}

}  // namespace flylocal::dns
