#include "dns/query_service.hpp"

#include <mutex>

namespace flylocal::dns {
namespace {

void count(Statistics::Counter& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

/// The way of replies from the forwarder's thread back to the server's. The forwarder may outlive the server
/// and the server's io_context; once closed, nothing passes.
class QueryService::ReplyGate {
 public:
  explicit ReplyGate(Executor executor) : executor_(executor) {}

  /// From any thread.
  template <class Function>
  void post(Function function) {
    std::lock_guard lock(mutex_);
    if (open_) asio::post(executor_, std::move(function));
  }
  bool is_open() {
    std::lock_guard lock(mutex_);
    return open_;
  }
  void close() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }

 private:
  Executor executor_;
  std::mutex mutex_;
  bool open_ = true;
};

QueryService::QueryService(Executor executor, Forwarder& forwarder)
    : forwarder_(forwarder), gate_(std::make_shared<ReplyGate>(executor)) {}

Outcome QueryService::respond(std::span<const std::uint8_t> message, NetworkId network, const boost::asio::ip::address_v6& client,
                              Transport transport, std::vector<std::uint8_t>& response) {
  count(statistics_.queries);
  auto outcome = dns::respond(message, zone_.current(), network, transport, response);
  switch (outcome.kind) {
    case Outcome::Kind::answered:
      count(statistics_.answered);
      break;
    case Outcome::Kind::no_data:
      count(statistics_.no_data);
      break;
    case Outcome::Kind::name_error:
      count(statistics_.name_errors);
      break;
    case Outcome::Kind::refused:
      count(statistics_.refused);
      break;
    case Outcome::Kind::server_failure:
      count(statistics_.server_failures);
      break;
    case Outcome::Kind::drop:
      count(statistics_.dropped);
      break;
    case Outcome::Kind::forward:
      break;  // counted by what comes of it
  }
  if (outcome.truncated) count(statistics_.truncated);
  // An A question of a name that exists has no data; an AAAA question has, or it has none because nothing is started.
  const bool exists = outcome.kind == Outcome::Kind::answered || outcome.kind == Outcome::Kind::no_data;
  if (exists && outcome.query.type == RecordType::a) journal_.note(client, outcome.query.name, QuestionJournal::Family::kIpv4);
  if (exists && outcome.query.type == RecordType::aaaa) journal_.note(client, outcome.query.name, QuestionJournal::Family::kIpv6);
  return outcome;
}

void QueryService::forward(const Query& query, Transport transport, Deliver deliver) {
  auto shared_deliver = std::make_shared<Deliver>(std::move(deliver));
  auto done = [this, gate = gate_, query, transport, shared_deliver](Forwarder::Reply reply) {
    gate->post([this, gate, query, transport, shared_deliver, reply = std::move(reply)] {
      // Posted before the gate was closed, run after it: then `this` may be gone.
      if (gate->is_open()) deliver_reply(query, transport, reply, *shared_deliver);
    });
  };
  if (!forwarder_.try_ask(query, std::move(done)))
    deliver_reply(query, transport, std::nullopt, *shared_deliver);
}

void QueryService::deliver_reply(const Query& query, Transport transport, const Forwarder::Reply& reply,
                                 const Deliver& deliver) {
  auto relayed = Relayed::failed;
  if (reply) {
    relayed = relay(query, *reply, transport, response_);
  } else {
    write_failure(query, Rcode::server_failure, response_);
  }
  count(relayed == Relayed::failed ? statistics_.server_failures : statistics_.forwarded);
  if (relayed == Relayed::truncated) count(statistics_.truncated);
  deliver(response_);
}

void QueryService::stop() {
  gate_->close();
}

}  // namespace flylocal::dns
