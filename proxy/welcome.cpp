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
  explicit Presence(Worker& worker) : worker_(worker) {}
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() { worker_.leave(); }

 private:
  Worker& worker_;
};

/// Until a session has the channel, nobody is to be told its news.
class Nobody final : public Turn {
  void take_turn() override {}
};

}  // namespace

Flow<> welcome(Worker& worker, Arrival arrival, UniqueFd socket) {
  Presence presence(worker);
  worker.adopt();
  const PublishedPort* port = worker.snapshot->find_port(arrival.listener);
  if (!port) co_return;
  const Handlers handlers = port->handlers;
  Nobody nobody;
  std::unique_ptr<Channel> channel;
  bool chose_http2 = false;
  if (handlers.tls || handlers.pg_tls) {
    tls::Entered entered = co_await tls::enter(worker, std::move(arrival), std::move(socket));
    if (!entered.channel) co_return;
    channel = std::move(entered.channel);
    arrival = std::move(entered.arrival);
    chose_http2 = handlers.http && entered.protocol == "h2";
  } else {
    auto client = std::make_unique<Socket>(*worker.poller, nobody);
    client->adopt(std::move(socket));
    channel = std::move(client);
  }
  std::string already_read;
  if (handlers.http && !chose_http2) {
    HttpSession session(worker, arrival, std::move(channel));
    worker.sessions.push_back(session);
    const HttpSession::End end = co_await session.run();
    if (end == HttpSession::End::over) co_return;
    already_read = session.already_read();
    channel = session.hand_over();
  }
  if (handlers.http) {
    co_await serve_http2(worker, std::move(arrival), std::move(channel), already_read);
  } else {
    TcpSession session(worker, std::move(arrival), std::move(channel));
    worker.sessions.push_back(session);
    co_await session.run();
  }
}

}  // namespace flylocal::proxy
