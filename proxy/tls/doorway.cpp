#include "proxy/tls/doorway.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "proxy/tls/plain_request.hpp"
#include "proxy/tls/postgres_opening.hpp"
#include "proxy/tls/tls_socket.hpp"

namespace flylocal::proxy::tls {
namespace {

using namespace std::chrono_literals;

constexpr char kHandshakeRecord = 0x16;  // RFC 8446 5.1
// After a refusal: closing with unread bytes would reset it under the client's eyes.
constexpr auto kLingerLimit = 1s;
constexpr std::string_view kNotPermitted = "28000", kProtocolViolation = "08P01";

/// What can be spoken on ports with the http handler, the preferred one first.
constexpr std::string_view kHttpProtocols[] = {"h2", "http/1.1"};

/// Clients of a local port often name it by an address, which is no server name.
bool names_nobody(std::string_view name) {
  boost::system::error_code error;
  return name.empty() || name == "localhost" || (asio::ip::make_address(std::string(name), error), !error);
}

std::vector<std::string> protocols(const Handlers& handlers, const TlsOptions& options) {
  if (handlers.pg_tls && options.alpn.empty()) return {"postgresql"};
  if (!handlers.http) return options.alpn;
  std::vector<std::string> served;
  if (options.alpn.empty()) {
    served.assign(std::begin(kHttpProtocols), std::end(kHttpProtocols));
  } else {
    std::copy_if(options.alpn.begin(), options.alpn.end(), std::back_inserter(served), [](const std::string& name) {
      return std::find(std::begin(kHttpProtocols), std::end(kHttpProtocols), name) != std::end(kHttpProtocols);
    });
  }
  return served;
}

/// Of the names that lead to a backend, the one that people know best.
std::string first_name(const RoutingSnapshot& snapshot, const PublishedPort& port, BackendIndex index) {
  std::string usual = snapshot.service_of(port.backends[index]).app + ".localhost";
  std::string first;
  for (const auto& [name, leads_to] : port.routes) {
    if (leads_to != index) continue;
    if (name == usual) return usual;
    if (first.empty() || name < first) first = name;
  }
  return first.empty() ? "localhost" : first;
}

/// The backend that a client gets who names this server; nothing: the name is nobody's here.
std::optional<BackendIndex> backend_for(const PublishedPort& port, std::string_view server_name) {
  if (const auto route = port.routes.find(server_name); route != port.routes.end()) return route->second;
  if (!port.default_backend || *port.default_backend >= port.backends.size()) return std::nullopt;
  const bool takes_any_name = port.backends[*port.default_backend].tls.default_self_signed;
  return takes_any_name || names_nobody(server_name) ? port.default_backend : std::nullopt;
}

std::optional<Choice> choose(const RoutingSnapshot& snapshot, ListenerId listener, std::string_view server_name) {
  const PublishedPort* port = snapshot.find_port(listener);
  const auto index = port ? backend_for(*port, server_name) : std::nullopt;
  if (!index) return std::nullopt;
  Choice choice;
  if (names_nobody(server_name)) {
    choice.name = first_name(snapshot, *port, *index);
  } else {
    choice.name = server_name;
    choice.self_signed = !port->routes.contains(server_name);
  }
  const TlsOptions& options = port->backends[*index].tls;
  choice.tls12 = options.tls12;
  choice.tls13 = options.tls13;
  choice.alpn = protocols(port->handlers, options);
  return choice;
}

class Doorway final : public Session {
 public:
  Doorway(Worker& worker, Arrival how, std::unique_ptr<TlsSocket> client)
      : Session(*worker.poller, std::move(how), std::move(client)), worker_(worker) {}

  /// True: the client is through.
  Flow<bool> run(bool postgres);
  bool client_left() override { return client().broken() || client().peer_ended(); }
  TlsSocket& tls() { return static_cast<TlsSocket&>(client()); }

 private:
  Flow<bool> read_more();
  Flow<bool> open_postgres();
  Flow<bool> shake_hands();
  Flow<> answer_plain();
  Flow<> refuse(std::string text);
  Flow<> refuse_postgres(PostgresOpening opening);
  void record(std::string_view code, std::string_view detail);
  bool must_stop() const { return worker_.phase == Worker::Phase::breaking_off || deadline.passed(); }

  Worker& worker_;
  const Clock::time_point arrived_ = worker_.poller->now();
  const std::chrono::system_clock::time_point at_ = std::chrono::system_clock::now();
};

Flow<bool> Doorway::run(bool postgres) {
  deadline.set_after(worker_.options.tls_handshake_limit);
  if (postgres) {
    const bool goes_on = co_await open_postgres();
    if (!goes_on) co_return false;
  }
  if (tls().early().empty()) {
    const bool came = co_await read_more();
    if (!came) co_return false;
  }
  if (tls().early().front() != kHandshakeRecord) {
    if (!postgres) co_await answer_plain();
    co_return false;
  }
  const bool through = co_await shake_hands();
  co_return through;
}

/// False: nothing more comes, or nobody waits for it any longer.
Flow<bool> Doorway::read_more() {
  for (;;) {
    const Transfer got = tls().read_early();
    if (got.status == Transfer::Status::moved) co_return true;
    if (got.status != Transfer::Status::blocked) co_return false;
    if (worker_.phase != Worker::Phase::serving && tls().early().empty()) co_return false;
    co_await wakeup.wait();
    if (must_stop()) co_return false;
  }
}

/// True: TLS comes next.
Flow<bool> Doorway::open_postgres() {
  for (;;) {
    const PostgresOpening opening = read_postgres_opening(tls().early());
    if (opening == PostgresOpening::tls_hello) co_return true;
    if (opening == PostgresOpening::incomplete) {
      const bool came = co_await read_more();
      if (!came) co_return false;
      continue;
    }
    const bool is_request = opening == PostgresOpening::ssl_request || opening == PostgresOpening::gss_request;
    // Bytes behind the request would be taken for encrypted ones (CVE-2021-23214).
    if (!is_request || tls().early().size() > kPostgresRequestSize) {
      co_await refuse_postgres(opening);
      co_return false;
    }
    tls().drop_early(kPostgresRequestSize);
    const Transfer told = tls().write_plain(opening == PostgresOpening::ssl_request ? "S" : "N");
    if (told.status != Transfer::Status::moved) co_return false;
    if (opening == PostgresOpening::ssl_request) co_return true;
  }
}

Flow<> Doorway::refuse_postgres(PostgresOpening opening) {
  constexpr std::string_view kHint = "Add sslmode=require to the connection's parameters.";
  std::string text;
  switch (opening) {
    case PostgresOpening::startup:
      text = postgres_refusal(kNotPermitted, "this port takes encrypted connections only (handler pg_tls)", kHint);
      break;
    case PostgresOpening::cancel_request:
      text = postgres_refusal(kNotPermitted, "this port takes encrypted cancel requests only (handler pg_tls)",
                              "libpq sends them encrypted from version 17 on.");
      break;
    case PostgresOpening::malformed:
      text = postgres_refusal(kProtocolViolation, "this port speaks PostgreSQL's protocol with TLS (handler pg_tls)", kHint);
      break;
    default:
      text = postgres_refusal(kProtocolViolation, "unencrypted bytes came after the request for encryption", "");
  }
  co_await refuse(std::move(text));
}

Flow<bool> Doorway::shake_hands() {
  tls().begin_handshake([this](std::string_view name) { return choose(*worker_.snapshot, arrival.listener, name); });
  for (;;) {
    const TlsSocket::Shake shake = tls().shake_hands();
    if (shake == TlsSocket::Shake::done) {
      count(worker_.stats.tls_handshakes);
      if (tls().resumed()) count(worker_.stats.tls_resumed);
      deadline.clear();
      co_return true;
    }
    if (shake == TlsSocket::Shake::failed) {
      count(worker_.stats.tls_failures);
      record(tls().failure_code(), tls().failure());
      co_return false;
    }
    co_await wakeup.wait();
    if (!must_stop()) continue;
    count(worker_.stats.tls_failures);
    if (deadline.passed()) record("PT08", "the handshake was not completed in time");
    co_return false;
  }
}

/// For the request log: a handshake that failed.
void Doorway::record(std::string_view code, std::string_view detail) {
  const std::string client_ip = address_text(arrival.client.address());
  RequestRecord record;
  record.at = at_;
  const PublishedPort* port = worker_.snapshot->find_port(arrival.listener);
  const auto backend = port ? backend_for(*port, tls().server_name()) : std::nullopt;
  record.edge_region = edge_region_of(worker_, port, {});
  if (backend) record.app = worker_.snapshot->service_of(port->backends[*backend]).app;
  record.client = client_ip;
  record.protocol = ClientProtocol::tls;
  record.host = tls().server_name();
  record.error = code;
  record.detail = detail;
  record.aborted = true;
  record.total = worker_.poller->now() - arrived_;
  worker_.edge->log.note(record);
}

Flow<> Doorway::answer_plain() {
  PlainRequest request;
  while ((request = read_plain_request(tls().early())).state == PlainRequest::State::incomplete) {
    if (tls().early().size() == kBufferSize) co_return client().reset();
    const bool came = co_await read_more();
    if (!came) co_return;
  }
  if (request.state == PlainRequest::State::other) co_return client().reset();
  const PublishedPort* port = worker_.snapshot->find_port(arrival.listener);
  count(worker_.stats.bad_requests);
  co_await refuse(plain_request_refusal(request, port && port->handlers.http));
}

Flow<> Doorway::refuse(std::string text) {
  const Transfer told = tls().write_plain(text);
  if (told.status != Transfer::Status::moved) co_return;
  client().shutdown_write();
  deadline.set_after(kLingerLimit);
  for (;;) {
    tls().drop_early(tls().early().size());
    const bool came = co_await read_more();
    if (!came) co_return;
  }
}

}  // namespace

Flow<Entered> enter(Worker& worker, Arrival arrival, UniqueFd client) {
  Entered entered;
  const PublishedPort* port = worker.snapshot->find_port(arrival.listener);
  if (!port || !worker.edge->leaves) co_return entered;
  const bool postgres = port->handlers.pg_tls;
  // Until the doorway has it, nobody is to be told its news.
  struct Nobody final : Turn {
    void take_turn() override {}
  } nobody;
  auto socket = std::make_unique<TlsSocket>(*worker.poller, nobody, worker.buffers, *worker.edge->leaves);
  socket->adopt(std::move(client));
  Doorway doorway(worker, std::move(arrival), std::move(socket));
  worker.sessions.push_back(doorway);
  const bool through = co_await doorway.run(postgres);
  if (!through) co_return entered;
  entered.arrival = doorway.arrival;
  entered.arrival.secure = true;
  entered.arrival.server_name = doorway.tls().server_name();
  entered.protocol = doorway.tls().protocol();
  entered.channel = doorway.hand_over();
  co_return entered;
}

}  // namespace flylocal::proxy::tls
