#include "proxy/welcome.hpp"

#include "proxy/http_session.hpp"
#include "proxy/tcp_session.hpp"
#include "proxy/tls/doorway.hpp"

namespace flylocal::proxy {
namespace {

/// Ends the counting of a client together with its session's coroutine.
class Presence {
 public:
  explicit Presence(Edge& edge) : edge_(edge) {}
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() { edge_.leave(); }

 private:
  Edge& edge_;
};

}  // namespace

Task<> welcome(Edge& edge, Arrival arrival, std::unique_ptr<Socket> client) {
  Presence presence(edge);
  edge.adopt_published();
  const PublishedPort* port = edge.snapshot->find_port(arrival.listener);
  if (!port) co_return;
  const Handlers handlers = port->handlers;
  std::unique_ptr<Channel> channel;
  if (handlers.tls || handlers.pg_tls) {
    tls::Entered entered = co_await tls::enter(edge, std::move(arrival), std::move(client));
    if (!entered.channel) co_return;
    channel = std::move(entered.channel);
    arrival = std::move(entered.arrival);
    // The place of HTTP/2: a client whose `entered.protocol` is "h2" (tls/doorway.cpp offers it).
  } else {
    channel = std::move(client);
  }
  if (handlers.http) {
    HttpSession session(edge, std::move(arrival), std::move(channel));
    edge.sessions.push_back(session);
    co_await session.run();
  } else {
    TcpSession session(edge, std::move(arrival), std::move(channel));
    edge.sessions.push_back(session);
    co_await session.run();
  }
}

}  // namespace flylocal::proxy
