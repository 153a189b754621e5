#include "dns/tcp_listener.hpp"

#include <spdlog/spdlog.h>

namespace flylocal::dns {
namespace {

using namespace std::chrono_literals;

constexpr auto kPauseAfterFailure = 100ms;

}  // namespace

Task<> TcpListener::run(std::shared_ptr<TcpListener> self) {
  while (self->acceptor_.is_open()) {
    if (self->connections_.size() >= self->limits_.max_connections) {
      co_await self->connection_ended_.async_wait(as_result);
      continue;
    }
    auto [error, socket] = co_await self->acceptor_.async_accept(as_result);
    if (!self->acceptor_.is_open()) co_return;
    if (error) {
      spdlog::warn("dns: accept over TCP: {}", error.message());
      co_await sleep_for(kPauseAfterFailure);
      continue;
    }
    self->service_.count_tcp_connection();
    boost::system::error_code ignored;  // without it answers are late, not wrong
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    auto connection = self->connections_.insert(
        self->connections_.end(),
        std::make_shared<TcpConnection>(std::move(socket), self->network_, self->service_,
                                        self->limits_.idle_timeout));
    self->tasks_.spawn("DNS over TCP", run_connection(self, connection));
  }
}

Task<> TcpListener::run_connection(std::shared_ptr<TcpListener> self, Connections::iterator connection) {
  co_await TcpConnection::run(*connection);
  self->connections_.erase(connection);
  self->connection_ended_.cancel();
}

void TcpListener::stop() {
  boost::system::error_code ignored;  // close(2) frees the descriptor whatever it returns
  acceptor_.close(ignored);
  connection_ended_.cancel();
  for (auto& connection : connections_) connection->stop();
}

}  // namespace flylocal::dns
