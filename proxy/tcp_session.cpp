#include "proxy/tcp_session.hpp"

#include "proxy/proxy_protocol.hpp"

namespace flylocal::proxy {
namespace {

/// Where the client believes to be: at the port that the platform knows, and at the app's public address if it has one
/// of the client's kind.
asio::ip::tcp::endpoint dialled_by_client(const Arrival& arrival, const PublishedPort& port) {
  asio::ip::tcp::endpoint dialled(arrival.dialled.address(), port.external_port);
  boost::system::error_code error;
  const auto published = asio::ip::make_address(port.public_address, error);
  const auto client = asio::ip::make_address(address_text(arrival.client.address()));
  if (!error && published.is_v4() == client.is_v4()) dialled.address(published);
  return dialled;
}

}  // namespace

TcpSession::TcpSession(Worker& worker, Arrival how, std::unique_ptr<Channel> client)
    : Session(*worker.poller, std::move(how), std::move(client)),
      worker_(worker),
      to_machine_(worker.buffers),
      to_client_(worker.buffers),
      relay_(to_machine_, to_client_) {}

Flow<> TcpSession::run() {
  Dialled machine;
  co_await dial(worker_, *this, {.host = arrival.server_name}, machine);
  connect_ = worker_.poller->now() - arrived_;
  if (machine.outcome != Dialled::Outcome::connected) {
    record(machine, true);
    client().reset();
    co_return;
  }
  if (const auto version = machine.port->handlers.proxy_protocol) {
    to_machine_.prefix() = proxy_protocol_header(*version, arrival.client, dialled_by_client(arrival, *machine.port));
  }
  relay_.begin();
  for (;;) {
    switch (relay_.step(client(), machine.connection->channel())) {
      case Relay::Outcome::finished:
        record(machine, false);
        co_return;
      case Relay::Outcome::broken:
        record(machine, true);
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
    if (worker_.phase == Worker::Phase::breaking_off) {
      record(machine, true);
      client().reset();
      co_return;
    }
  }
}

void TcpSession::record(const Dialled& machine, bool aborted) {
  const std::string client_ip = address_text(arrival.client.address());
  const bool connected = machine.outcome == Dialled::Outcome::connected;
  RequestRecord record;
  record.at = at_;
  record.edge_region = edge_region_of(worker_, worker_.snapshot->find_port(arrival.listener), {});
  record.client = client_ip;
  record.protocol = ClientProtocol::tcp;
  record.secure = arrival.secure;
  record.host = arrival.server_name;
  if (machine.service) record.app = machine.service->app;
  if (connected) {
    record.machine = machine.upstream->machine_id;
    record.region = machine.upstream->region;
    record.connect = connect_;
  } else if (machine.outcome != Dialled::Outcome::given_up) {
    record.error = "PR01";
  }
  record.aborted = aborted;
  record.retries = machine.failures;
  record.woken = machine.woken;
  record.wake = machine.wake_time;
  record.queue = machine.queue_time;
  record.bytes_up = to_machine_.bytes_written();
  record.bytes_down = to_client_.bytes_written();
  record.total = worker_.poller->now() - arrived_;
  worker_.edge->log.note(record);
}

}  // namespace flylocal::proxy
