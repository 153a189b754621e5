#include "dns/forwarder.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/dns/loopback.hpp"

using namespace flylocal::dns;
using namespace loopback;
using wire::operator+;
using Over = FakeUpstream::Over;

namespace {

constexpr ForwarderOptions kQuick{
    .try_timeout = 100ms, .total_timeout = 2000ms, .rounds = 2, .max_in_flight = 256};

/// A forwarder on its thread, shut down in order.
class Running {
 public:
  explicit Running(std::vector<asio::ip::udp::endpoint> upstreams, ForwarderOptions options = kQuick)
      : forwarder_(thread_.executor(), std::move(upstreams), options) {}
  ~Running() { stop(); }
  void stop() { thread_.run(forwarder_.shutdown()); }

  std::future<Forwarder::Reply> start(const wire::Bytes& query = wire::query("example.org", wire::kA)) {
    auto promise = std::make_shared<std::promise<Forwarder::Reply>>();
    auto reply = promise->get_future();
    bool taken = forwarder_.try_ask(parse_query(query).query,
                                    [promise](Forwarder::Reply r) { promise->set_value(std::move(r)); });
    if (!taken) throw std::runtime_error("the query was not let in");
    return reply;
  }
  static std::optional<wire::Message> wait(std::future<Forwarder::Reply> reply) {
    if (reply.wait_for(kPatience) != std::future_status::ready)
      throw std::runtime_error("no word from the forwarder");
    auto octets = reply.get();
    if (!octets) return std::nullopt;
    return wire::decode(*octets);
  }
  std::optional<wire::Message> ask() { return wait(start()); }
  Forwarder& forwarder() { return forwarder_; }

 private:
  ContextThread thread_;
  Forwarder forwarder_;
};

std::vector<Bytes> answers(const Bytes& query, Over) {
  return {reply_to(query)};
}
std::vector<Bytes> silent(const Bytes&, Over) {
  return {};
}

/// Waits for packets that are still on their way; false when they are others than so many.
bool was_asked(const FakeUpstream& upstream, int times) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (upstream.asked() < times && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  return upstream.asked() == times;
}

/// An address where nothing listens: it was just given back.
asio::ip::udp::endpoint closed_port() {
  return BoundPair().endpoint;
}

}  // namespace

TEST_CASE("a query is asked over UDP and its reply handed on") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  auto reply = running.ask();
  REQUIRE(reply);
  CHECK(reply->answers.size() == 1);
  CHECK(reply->qname == "example.org.");
  CHECK(upstream.asked_over(Over::udp) == 1);
  CHECK(upstream.asked_over(Over::tcp) == 0);
}

TEST_CASE("ids and source ports differ from query to query (RFC 5452 9.2)") {
  std::mutex mutex;
  std::vector<unsigned> ids;
  FakeUpstream upstream([&](const Bytes& query, Over) {
    std::lock_guard lock(mutex);
    ids.push_back(query[0] << 8 | query[1]);
    return std::vector<Bytes>{reply_to(query)};
  });
  Running running({upstream.endpoint()});
  for (int i = 0; i < 16; ++i) REQUIRE(running.ask());
  std::sort(ids.begin(), ids.end());
  auto distinct = std::unique(ids.begin(), ids.end()) - ids.begin();
  // Two of 16 are the same once in 500 runs; four are once in ten million.
  CHECK(distinct >= 13);
}

TEST_CASE("the next upstream is asked when one is silent, and then preferred") {
  FakeUpstream dead(silent), alive(answers);
  Running running({dead.endpoint(), alive.endpoint()});
  CHECK(running.ask());
  CHECK(dead.asked() == 1);
  CHECK(running.ask());
  CHECK(dead.asked() == 1);
  CHECK(alive.asked() == 2);
}

TEST_CASE("the next upstream is asked at once when nothing listens at the first") {
  FakeUpstream alive(answers);
  Running running({closed_port(), alive.endpoint()}, {.try_timeout = 60s, .total_timeout = 60s});
  CHECK(running.ask());
}

TEST_CASE("a lost packet is sent again") {
  std::atomic<int> seen{0};
  FakeUpstream upstream([&](const Bytes& query, Over) {
    return seen++ == 0 ? std::vector<Bytes>{} : std::vector<Bytes>{reply_to(query)};
  });
  Running running({upstream.endpoint()});
  CHECK(running.ask());
  CHECK(upstream.asked() == 2);
}

TEST_CASE("an upstream that says SERVFAIL or REFUSED is asked once, and the others after it") {
  for (std::uint16_t flags : {0x8182, 0x8185}) {
    FakeUpstream unwilling(
        [&](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query, flags, 0)}; });
    FakeUpstream alive(answers);
    Running running({unwilling.endpoint(), alive.endpoint()});
    auto reply = running.ask();
    REQUIRE(reply);
    CHECK(reply->rcode == 0);
    CHECK(unwilling.asked() == 1);
  }
}

TEST_CASE("when all upstreams are unwilling their word is handed on") {
  FakeUpstream unwilling(
      [](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query, 0x8185, 0)}; });
  Running running({unwilling.endpoint()});
  auto reply = running.ask();
  REQUIRE(reply);
  CHECK(reply->rcode == 5);
  CHECK(unwilling.asked() == 1);
}

TEST_CASE("NXDOMAIN is an answer: nobody else is asked") {
  FakeUpstream knows([](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query, 0x8183, 0)}; });
  FakeUpstream other(answers);
  Running running({knows.endpoint(), other.endpoint()});
  auto reply = running.ask();
  REQUIRE(reply);
  CHECK(reply->rcode == 3);
  CHECK(other.asked() == 0);
}

TEST_CASE("an unwilling answer without a question sends us on to the next upstream") {
  FakeUpstream puzzled([](const Bytes& query, Over) {
    auto id = static_cast<std::uint16_t>(query[0] << 8 | query[1]);
    return std::vector<Bytes>{wire::header({.id = id, .flags = 0x8181, .questions = 0})};
  });
  FakeUpstream alive(answers);
  Running running({puzzled.endpoint(), alive.endpoint()},
                  {.try_timeout = 60s, .total_timeout = 60s, .rounds = 1});
  CHECK(running.ask());
}

TEST_CASE("a truncated answer is fetched over TCP (RFC 7766 5)") {
  FakeUpstream upstream([](const Bytes& query, Over over) {
    return std::vector<Bytes>{over == Over::udp ? reply_to(query, 0x8380, 0) : reply_to(query, 0x8180, 200)};
  });
  Running running({upstream.endpoint()});
  auto reply = running.ask();
  REQUIRE(reply);
  CHECK_FALSE(reply->truncated);
  CHECK(reply->answers.size() == 200);
  CHECK(upstream.asked_over(Over::tcp) == 1);
}

TEST_CASE("when TCP brings nothing after a truncated answer, the next upstream is asked") {
  FakeUpstream truncates([](const Bytes& query, Over over) {
    return over == Over::udp ? std::vector<Bytes>{reply_to(query, 0x8380, 0)} : std::vector<Bytes>{};
  });
  FakeUpstream alive(answers);
  Running running({truncates.endpoint(), alive.endpoint()});
  CHECK(running.ask());
}

TEST_CASE("packets with a wrong id, a wrong question, or no sense are passed over (RFC 5452 9.1)") {
  FakeUpstream upstream([](const Bytes& query, Over) {
    auto wrong_id = reply_to(query, 0x8180, 7);
    wrong_id[0] ^= 0xFF;
    auto wrong_name = reply_to(query, 0x8180, 7);
    wrong_name[13] ^= 0x01;
    auto wrong_type = reply_to(query, 0x8180, 7);
    wrong_type[12 + 13 + 1] = 28;
    auto not_a_response = reply_to(query, 0x0180, 7);
    auto cut = reply_to(query, 0x8180, 7);
    cut.pop_back();
    return std::vector<Bytes>{wrong_id, wrong_name, wrong_type, not_a_response,
                              cut,      {},         {1, 2, 3},  reply_to(query)};
  });
  Running running({upstream.endpoint()}, {.try_timeout = 60s, .total_timeout = 60s, .rounds = 1});
  auto reply = running.ask();
  REQUIRE(reply);
  CHECK(reply->answers.size() == 1);
}

TEST_CASE("a reply that spells the question in another case is ours") {
  FakeUpstream upstream([](const Bytes& query, Over) {
    auto reply = reply_to(query);
    reply[13] ^= 0x20;
    return std::vector<Bytes>{reply};
  });
  Running running({upstream.endpoint()});
  CHECK(running.ask());
}

TEST_CASE("a flood of wrong packets ends the try, not the forwarder") {
  FakeUpstream forger([](const Bytes& query, Over) {
    auto wrong = reply_to(query);
    wrong[1] ^= 1;
    return std::vector<Bytes>(100, wrong);
  });
  FakeUpstream alive(answers);
  Running running({forger.endpoint(), alive.endpoint()}, {.try_timeout = 60s, .total_timeout = 60s});
  CHECK(running.ask());
}

TEST_CASE("with no upstream, or none that listens, the answer is empty at once") {
  // Time-outs of a minute: the test ends in time only when none is waited for.
  ForwarderOptions patient{.try_timeout = 60s, .total_timeout = 60s};
  CHECK_FALSE(Running({}, patient).ask());
  CHECK_FALSE(Running({closed_port()}, patient).ask());
  CHECK_FALSE(Running({closed_port(), closed_port()}, patient).ask());
}

TEST_CASE("upstreams that are all silent cost no more than the total time-out") {
  FakeUpstream one(silent), two(silent);
  auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(Running({one.endpoint(), two.endpoint()}, {.try_timeout = 60s, .total_timeout = 100ms}).ask());
  CHECK(std::chrono::steady_clock::now() - begin < kPatience);
}

TEST_CASE("an upstream that is slower than its try is still listened to while the next is asked") {
  std::promise<void> other_was_asked;
  FakeUpstream slow([was_asked = other_was_asked.get_future().share()](const Bytes& query, Over) {
    was_asked.wait_for(kPatience);
    return std::vector<Bytes>{reply_to(query)};
  });
  FakeUpstream other([&](const Bytes&, Over) {
    other_was_asked.set_value();
    return std::vector<Bytes>{};
  });
  Running running({slow.endpoint(), other.endpoint()}, {.try_timeout = 20ms, .total_timeout = 60s, .rounds = 1});
  CHECK(running.ask());
  CHECK(slow.asked() == 1);
  CHECK(other.asked() == 1);
}

TEST_CASE("upstreams that were all silent are known as dead: each is asked once more, and not for long") {
  FakeUpstream one(silent), two(silent);
  Running running({one.endpoint(), two.endpoint()},
                  {.try_timeout = 20ms, .total_timeout = 2s, .rounds = 2, .dead_timeout = 20ms, .dead_for = 60s});
  CHECK_FALSE(running.ask());
  CHECK(was_asked(one, 2));
  CHECK(was_asked(two, 2));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) CHECK_FALSE(running.ask());
  CHECK(std::chrono::steady_clock::now() - begin < 2s);
  CHECK(was_asked(one, 5));
  CHECK(was_asked(two, 5));
}

TEST_CASE("the first answer heals upstreams that were known as dead, whichever of them it is from") {
  std::atomic<bool> alive{false};
  auto when_alive = [&](const Bytes& query, Over) { return alive ? std::vector<Bytes>{reply_to(query)} : std::vector<Bytes>{}; };
  FakeUpstream dead(silent), revived(when_alive);
  Running running({dead.endpoint(), revived.endpoint()},
                  {.try_timeout = 200ms, .total_timeout = 1s, .rounds = 2, .dead_timeout = 10s, .dead_for = 60s});
  REQUIRE_FALSE(running.ask());
  REQUIRE(was_asked(dead, 2));
  REQUIRE(was_asked(revived, 2));
  alive = true;
  CHECK(running.ask());
  CHECK(was_asked(dead, 3));
  CHECK(was_asked(revived, 3));
  // Now preferred and asked alone, as before.
  for (int i = 0; i < 10; ++i) CHECK(running.ask());
  CHECK(revived.asked() == 13);
  CHECK(dead.asked() == 3);
}

TEST_CASE("an answer that comes too late for its asker heals as well") {
  std::promise<void> asker_was_told;
  std::atomic<int> seen{0};
  FakeUpstream upstream([&, told = asker_was_told.get_future().share()](const Bytes& query, Over) {
    // Only the third packet, the first to the dead upstream, has an answer.
    if (++seen != 3) return std::vector<Bytes>{};
    told.wait_for(kPatience);
    return std::vector<Bytes>{reply_to(query)};
  });
  Running running({upstream.endpoint()}, {.try_timeout = 10ms, .total_timeout = 500ms, .rounds = 2, .dead_timeout = 1ms, .dead_for = 60s});
  REQUIRE_FALSE(running.ask());
  REQUIRE(was_asked(upstream, 2));
  REQUIRE_FALSE(running.ask());
  asker_was_told.set_value();
  // A dead upstream is asked once for each query, one that lives is asked again when a packet seems to be lost.
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  int packets = 3;
  while (upstream.asked() <= packets && std::chrono::steady_clock::now() < give_up) {
    REQUIRE_FALSE(running.ask());
    ++packets;
  }
  CHECK(upstream.asked() > packets);
}

TEST_CASE("after a while dead upstreams are given their full time again") {
  std::atomic<bool> alive{false};
  FakeUpstream upstream([&](const Bytes& query, Over) { return alive ? std::vector<Bytes>{reply_to(query)} : std::vector<Bytes>{}; });
  Running running({upstream.endpoint()}, {.try_timeout = 1s, .total_timeout = 50ms, .rounds = 1, .dead_timeout = 0ms, .dead_for = 0ms});
  REQUIRE_FALSE(running.ask());
  alive = true;
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  bool answered = false;
  while (!answered && std::chrono::steady_clock::now() < give_up) answered = running.ask().has_value();
  CHECK(answered);
}

TEST_CASE("silence to one question says nothing of an upstream that answers others meanwhile") {
  FakeUpstream upstream([](const Bytes& query, Over) {
    const bool asks_for_hole = query.at(12) == 4;
    return asks_for_hole ? std::vector<Bytes>{} : std::vector<Bytes>{reply_to(query)};
  });
  Running running({upstream.endpoint()}, {.try_timeout = 200ms, .total_timeout = 200ms, .rounds = 1, .dead_timeout = 0ms, .dead_for = 60s});
  auto hole = running.start(wire::query("hole.example", wire::kA));
  auto other = running.start();
  REQUIRE(Running::wait(std::move(other)));
  REQUIRE_FALSE(Running::wait(std::move(hole)));
  CHECK(running.ask());
}

TEST_CASE("an upstream that fails without being silent is not taken for dead") {
  std::atomic<int> seen{0};
  FakeUpstream upstream([&](const Bytes& query, Over) {
    if (seen++ > 0) return std::vector<Bytes>{reply_to(query)};
    auto wrong = reply_to(query);
    wrong[1] ^= 1;
    return std::vector<Bytes>(16, wrong);
  });
  Running running({upstream.endpoint()}, {.try_timeout = 60s, .total_timeout = 60s, .rounds = 1, .dead_timeout = 0ms, .dead_for = 60s});
  REQUIRE_FALSE(running.ask());
  CHECK(running.ask());
}

TEST_CASE("a SERVFAIL is handed on when another upstream stays silent beyond its tries") {
  FakeUpstream unwilling([](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query, 0x8182, 0)}; });
  FakeUpstream dead(silent);
  // The total time-out is longer than the test waits.
  Running running({unwilling.endpoint(), dead.endpoint()}, {.try_timeout = 20ms, .total_timeout = 60s});
  auto reply = running.ask();
  REQUIRE(reply);
  CHECK(reply->rcode == 2);
  CHECK(unwilling.asked() == 1);
}

TEST_CASE("no route to any upstream is an empty answer at once, every time") {
  // connect(2) refuses it: broadcast needs an option that we do not set.
  asio::ip::udp::endpoint unreachable(asio::ip::address_v4::broadcast(), 53);
  Running running({unreachable, closed_port()}, {.try_timeout = 60s, .total_timeout = 60s});
  for (int i = 0; i < 3; ++i) CHECK_FALSE(running.ask());
}

TEST_CASE("an upstream that says to come over TCP, and is silent there, is not taken for dead") {
  // With a dead_timeout of 0 a dead upstream has no time to answer.
  FakeUpstream upstream([](const Bytes& query, Over over) -> std::vector<Bytes> {
    if (over == Over::tcp) return {};
    const bool is_large = query.at(12) == 5;  // the length of the first label
    return {reply_to(query, is_large ? 0x8380 : 0x8180, is_large ? 0 : 1)};
  });
  Running running({upstream.endpoint()}, {.try_timeout = 500ms, .total_timeout = 500ms, .rounds = 1, .dead_timeout = 0ms, .dead_for = 60s});
  CHECK_FALSE(running.wait(running.start(wire::query("large.example", wire::kTxt))));
  CHECK(was_asked(upstream, 2));
  CHECK(running.ask());
}

TEST_CASE("shutdown ends queries to dead upstreams, the one that listens on and those whose tries had no time to begin") {
  FakeUpstream upstream(silent);
  for (auto dead_timeout : {0ms, 1ms}) {
    Running running({upstream.endpoint()},
                    {.try_timeout = 10ms, .total_timeout = 100ms, .dead_timeout = dead_timeout, .dead_for = 60s});
    for (int i = 0; i < 5; ++i) REQUIRE_FALSE(running.ask());
    running.stop();
    CHECK_FALSE(running.forwarder().try_ask(parse_query(wire::query("example.org", wire::kA)).query, [](Forwarder::Reply) {}));
  }
}

TEST_CASE("queries are asked side by side") {
  std::mutex mutex;
  std::vector<Bytes> held;
  FakeUpstream upstream([&](const Bytes& query, Over) {
    // Silent to the first two and then answering: asked in turn, the first would have used up its tries.
    std::lock_guard lock(mutex);
    held.push_back(query);
    return held.size() < 3 ? std::vector<Bytes>{} : std::vector<Bytes>{reply_to(query)};
  });
  Running running({upstream.endpoint()}, {.try_timeout = 300ms, .total_timeout = 5s});
  auto a = running.start(), b = running.start(), c = running.start();
  CHECK(Running::wait(std::move(a)));
  CHECK(Running::wait(std::move(b)));
  CHECK(Running::wait(std::move(c)));
  CHECK(upstream.asked() == 5);
}

TEST_CASE("more queries than are allowed in flight are not let in") {
  FakeUpstream upstream(silent);
  Running running({upstream.endpoint()}, {.try_timeout = 60s, .total_timeout = 60s, .max_in_flight = 2});
  auto first = running.start(), second = running.start();
  auto query = parse_query(wire::query("example.org", wire::kA)).query;
  CHECK_FALSE(running.forwarder().try_ask(query, [](Forwarder::Reply) {}));
  running.stop();
  CHECK_FALSE(Running::wait(std::move(first)));
  CHECK_FALSE(Running::wait(std::move(second)));
}

TEST_CASE("shutdown ends queries that wait, over UDP and over TCP, and lets no more in") {
  FakeUpstream over_udp(silent);
  FakeUpstream over_tcp([](const Bytes& query, Over over) {
    return over == Over::udp ? std::vector<Bytes>{reply_to(query, 0x8380, 0)} : std::vector<Bytes>{};
  });
  for (auto* upstream : {&over_udp, &over_tcp}) {
    Running running({upstream->endpoint()}, {.try_timeout = 60s, .total_timeout = 60s});
    std::vector<std::future<Forwarder::Reply>> replies;
    for (int i = 0; i < 20; ++i) replies.push_back(running.start());
    running.stop();
    for (auto& reply : replies) CHECK_FALSE(Running::wait(std::move(reply)));
    auto query = parse_query(wire::query("example.org", wire::kA)).query;
    CHECK_FALSE(running.forwarder().try_ask(query, [](Forwarder::Reply) {}));
  }
}
