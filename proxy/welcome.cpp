#include "proxy/welcome.hpp"

#include "proxy/http_session.hpp"
#include "proxy/tcp_session.hpp"

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

Task<> welcome(Edge& edge, Arrival arrival, std::unique_ptr<Channel> client) {
  Presence presence(edge);
  edge.adopt_published();
  const PublishedPort* port = edge.snapshot->find_port(arrival.listener);
  if (!port) co_return;
  if (port->handlers.http) {
    HttpSession session(edge, std::move(arrival), std::move(client));
    edge.sessions.push_back(session);
    co_await session.run();
  } else {
    TcpSession session(edge, std::move(arrival), std::move(client));
    edge.sessions.push_back(session);
    co_await session.run();
  }
}

}  // namespace flylocal::proxy
