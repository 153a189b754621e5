#include "proxy/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace flylocal::proxy {
namespace {

using namespace std::chrono_literals;

constexpr int kAcceptsPerTurn = 64;
constexpr auto kPauseAfterError = 100ms;

asio::ip::tcp::endpoint local_endpoint(int fd) {
  asio::ip::tcp::endpoint local;
  auto size = static_cast<socklen_t>(local.capacity());
  if (::getsockname(fd, local.data(), &size) == 0) local.resize(size);
  return local;
}

/// The client is gone, or the network has a passing trouble: not the listener's fault (accept(2)).
bool concerns_one_client(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN ||
         error == EHOSTDOWN || error == EHOSTUNREACH || error == ENETUNREACH || error == ETIMEDOUT ||
         error == EPERM;
}

}  // namespace

Listener::Listener(const Workers& workers, ListenerId id, UniqueFd socket)
    : workers_(workers),
      own_(*workers.front()),
      id_(id),
      socket_(*own_.poller, *this),
      pause_(*own_.poller, *this) {
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  // Accepted sockets inherit it: a system call less for each client.
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  local_ = local_endpoint(socket.get());
  socket_.adopt(std::move(socket));
}

void Listener::resume() {
  own_.poller->schedule(*this);
}

void Listener::take_turn() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
  resume();
}

/// False: nobody waits, or there is no room now.
bool Listener::accept_one() {
  if (own_.edge->clients_now.load(std::memory_order_relaxed) >= own_.options.max_clients) return false;
  asio::ip::tcp::endpoint peer;
  auto size = static_cast<socklen_t>(peer.capacity());
  UniqueFd socket(::accept4(socket_.fd(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    int error = errno;
    if (error == EAGAIN) return false;
    if (concerns_one_client(error)) return true;
    on_accept_error(error);
    return false;
  }
  error_logged_ = false;
  peer.resize(size);
  hand_over(std::move(socket), peer);
  return true;
}

void Listener::on_accept_error(int error) {
  if (!error_logged_) {
    spdlog::error(
        "accept on a published port: {}; trying again every 100 ms (is the limit of open files too low?)",
        std::error_code(error, std::generic_category()).message());
  }
  error_logged_ = true;
  pause_.set_after(kPauseAfterError);
}

void Listener::hand_over(UniqueFd socket, const asio::ip::tcp::endpoint& peer) {
  count(own_.stats.clients);
  Arrival arrival;
  arrival.listener = id_;
  arrival.client = peer;
  // Of an address of its own it is known; of a socket for all addresses each client has to be asked.
  arrival.dialled = local_.address().is_unspecified() ? local_endpoint(socket.get()) : local_;
  // The first of equals is this one: alone, a client costs no visit to another thread.
  Worker& worker = **std::min_element(workers_.begin(), workers_.end(), [](const auto& one, const auto& other) {
    return one->clients.load(std::memory_order_relaxed) < other->clients.load(std::memory_order_relaxed);
  });
  worker.clients.fetch_add(1, std::memory_order_relaxed);
  own_.edge->clients_now.fetch_add(1, std::memory_order_relaxed);
  if (&worker == &own_) return worker.take(std::move(socket), std::move(arrival));
  worker.post([&worker, client = std::move(socket), how = std::move(arrival)]() mutable {
    worker.take(std::move(client), std::move(how));
  });
}

}  // namespace flylocal::proxy
