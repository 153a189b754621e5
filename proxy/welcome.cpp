#include "proxy/welcome.hpp"

#include "proxy/h2/server_connection.hpp"
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

Flow<> welcome(Edge& edge, Arrival arrival, std::unique_ptr<Socket> client) {
  Presence presence(edge);
  edge.adopt_published();
  const PublishedPort* port = edge.snapshot->find_port(arrival.listener);
  if (!port) co_return;
  const Handlers handlers = port->handlers;
  std::unique_ptr<Channel> channel;
  bool chose_http2 = false;
  if (handlers.tls || handlers.pg_tls) {
    tls::Entered entered = co_await tls::enter(edge, std::move(arrival), std::move(client));
    if (!entered.channel) co_return;
    channel = std::move(entered.channel);
    arrival = std::move(entered.arrival);
    chose_http2 = handlers.http && entered.protocol == "h2";
  } else {
    channel = std::move(client);
  }
  std::string already_read;
  if (handlers.http && !chose_http2) {
    HttpSession session(edge, arrival, std::move(channel));
    edge.sessions.push_back(session);
    const HttpSession::End end = co_await session.run();
    if (end == HttpSession::End::over) co_return;
    already_read = session.already_read();
    channel = session.hand_over();
  }
  if (handlers.http) {
    co_await serve_http2(edge, std::move(arrival), std::move(channel), already_read);
  } else {
    TcpSession session(edge, std::move(arrival), std::move(channel));
    edge.sessions.push_back(session);
    co_await session.run();
  }
}

}  // namespace flylocal::proxy
