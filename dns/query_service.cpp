#include "dns/query_service.hpp"

#include <chrono>
#include <mutex>
#include <utility>

namespace flylocal::dns {
namespace {

using Clock = std::chrono::steady_clock;

// Queries that wait for a question which is out already, over all such questions: each holds some 400 octets. More are refused at once.
constexpr std::size_t kMaxJoined = 1024;

void count(Statistics::Counter& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

/// Whether the zone gave the answer; a refusal is nobody's.
Origin origin_of(Outcome::Kind kind) {
  const bool from_zone = kind == Outcome::Kind::answered || kind == Outcome::Kind::no_data || kind == Outcome::Kind::name_error;
  return from_zone ? Origin::zone : Origin::none;
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

QueryService::QueryService(Executor executor, Forwarder& forwarder, const ResponderOptions& options)
    : forwarder_(forwarder), responder_(options), gate_(std::make_shared<ReplyGate>(executor)) {}

Outcome QueryService::respond(std::span<const std::uint8_t> message, NetworkId network, const boost::asio::ip::address_v6& client,
                              Transport transport, std::vector<std::uint8_t>& response) {
  const auto begun = Clock::now();
  count(statistics_.queries);
  auto outcome = responder_.respond(message, zone_.current(), network, client, transport, response);
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
  if (outcome.kind != Outcome::Kind::forward && outcome.kind != Outcome::Kind::drop)
    log_.note({client, network, transport, origin_of(outcome.kind), outcome.query.name, outcome.query.type, Clock::now() - begun}, response);
  return outcome;
}

void QueryService::forward(const Query& query, NetworkId network, const boost::asio::ip::address_v6& client, Transport transport, Deliver deliver) {
  if (stopped_) return;
  const auto now = Clock::now();
  Asker asker{query, network, client, transport, now, std::move(deliver)};
  const QuestionKey question(query);
  if (const auto known = cache_.find(question, now)) return deliver_reply(asker, *known, Origin::cache);

  std::string key(question.view());
  if (const auto asked = asked_.find(key); asked != asked_.end()) {
    if (joined_ >= kMaxJoined) return deliver_reply(asker, {}, Origin::upstream);
    ++joined_;
    count(statistics_.joined);
    asked->second.push_back(std::move(asker));
    return;
  }
  auto done = [this, gate = gate_, key](Forwarder::Reply reply) {
    gate->post([this, gate, key, reply = std::move(reply)] {
      // Posted before the gate was closed, run after it: then `this` may be gone.
      if (gate->is_open()) take_reply(key, reply);
    });
  };
  // That too much is in flight says nothing of the question, so it is not kept.
  if (!forwarder_.try_ask(query, std::move(done))) return deliver_reply(asker, {}, Origin::upstream);
  asked_[std::move(key)].push_back(std::move(asker));
}

void QueryService::take_reply(const std::string& key, const Forwarder::Reply& reply) {
  // Out of the table first, as an asker who is answered may ask again.
  const auto asked = asked_.extract(key);
  const std::vector<Asker>& askers = asked.mapped();
  joined_ -= askers.size() - 1;
  const QuestionKey question(askers.front().query);
  if (reply) {
    cache_.store(question, *reply, Clock::now());
  } else {
    cache_.store_silence(question, Clock::now());
  }
  for (const Asker& asker : askers)
    deliver_reply(asker, reply ? std::span<const std::uint8_t>(*reply) : std::span<const std::uint8_t>{}, Origin::upstream);
}

void QueryService::deliver_reply(const Asker& asker, std::span<const std::uint8_t> reply, Origin origin) {
  auto relayed = Relayed::failed;
  if (reply.empty()) {
    write_failure(asker.query, Rcode::server_failure, response_);
  } else {
    relayed = relay(asker.query, reply, asker.transport, response_);
  }
  auto& relayed_from = origin == Origin::cache ? statistics_.cache_hits : statistics_.forwarded;
  count(relayed == Relayed::failed ? statistics_.server_failures : relayed_from);
  if (relayed == Relayed::truncated) count(statistics_.truncated);
  log_.note({asker.client, asker.network, asker.transport, relayed == Relayed::failed ? Origin::none : origin, asker.query.name, asker.query.type,
             Clock::now() - asker.begun},
            response_);
  asker.deliver(response_);
}

void QueryService::stop() {
  stopped_ = true;
  gate_->close();
  // What askers hold must not live as long as the service does.
  asked_.clear();
  joined_ = 0;
}

}  // namespace flylocal::dns
