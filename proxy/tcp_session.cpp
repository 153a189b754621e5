#include "proxy/tcp_session.hpp"

namespace flylocal::proxy {

TcpSession::TcpSession(Edge& edge, Arrival how, std::unique_ptr<Channel> client)
    : Session(*edge.poller, std::move(how), std::move(client)),
      edge_(edge),
      to_machine_(edge.buffers),
      to_client_(edge.buffers),
      relay_(to_machine_, to_client_) {}

Task<> TcpSession::run() {
  Dialled machine = co_await dial(edge_, *this, {.host = arrival.server_name});
  if (machine.outcome != Dialled::Outcome::connected) {
    client().reset();
    co_return;
  }
  relay_.begin();
  for (;;) {
    switch (relay_.step(client(), machine.connection->channel())) {
      case Relay::Outcome::finished:
        co_return;
      case Relay::Outcome::broken:
        client().reset();
        machine.connection->channel().reset();
        co_return;
      case Relay::Outcome::busy:
        co_await wakeup.yield();
        break;
      case Relay::Outcome::waiting:
        co_await wakeup.wait();
        break;
    }
    if (edge_.phase == Edge::Phase::breaking_off) {
      client().reset();
      co_return;
    }
  }
}

}  // namespace flylocal::proxy
