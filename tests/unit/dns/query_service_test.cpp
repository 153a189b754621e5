#include "dns/query_service.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/dns/loopback.hpp"

using namespace flylocal;
using namespace flylocal::dns;
using namespace loopback;
using wire::operator+;
using Over = FakeUpstream::Over;

namespace {

constexpr ForwarderOptions kPatient{.try_timeout = 60s, .total_timeout = 60s};

/// The service on its thread, with a forwarder on another.
class Running {
 public:
  explicit Running(std::vector<asio::ip::udp::endpoint> upstreams, ForwarderOptions options = kPatient)
      : forwarder_(host_.executor(), std::move(upstreams), options), service_(own_.executor(), forwarder_) {}
  ~Running() {
    stop();
    host_.run(forwarder_.shutdown());
  }
  void stop() {
    on_own_thread([this] { service_.stop(); });
  }
  /// Runs `function` on the service's thread, to its end.
  void on_own_thread(std::function<void()> function) {
    std::promise<void> done;
    asio::post(own_.executor(), [&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }

  std::future<wire::Message> start(const Bytes& query, Transport transport = Transport::udp) {
    auto promise = std::make_shared<std::promise<wire::Message>>();
    auto answer = promise->get_future();
    on_own_thread([&] {
      service_.forward(parse_query(query).query, NetworkId{}, {}, transport, [promise](std::span<const std::uint8_t> response) {
        promise->set_value(wire::decode({response.begin(), response.end()}));
      });
    });
    return answer;
  }
  static wire::Message wait(std::future<wire::Message> answer) {
    if (answer.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no answer");
    return answer.get();
  }
  wire::Message ask(const Bytes& query, Transport transport = Transport::udp) { return wait(start(query, transport)); }
  const Statistics& counted() const { return service_.statistics(); }
  QueryService& service() { return service_; }

 private:
  ContextThread host_, own_;
  Forwarder forwarder_;
  QueryService service_;
};

std::vector<Bytes> answers(const Bytes& query, Over) { return {reply_to(query)}; }

bool is_ready(std::future<wire::Message>& answer) { return answer.wait_for(0s) == std::future_status::ready; }

/// Answers nothing before it is released.
class HeldUpstream {
 public:
  void release() { released_.set_value(); }
  asio::ip::udp::endpoint endpoint() const { return upstream_.endpoint(); }
  int asked() const { return upstream_.asked(); }

 private:
  std::promise<void> released_;
  FakeUpstream upstream_{[released = released_.get_future().share()](const Bytes& query, Over) {
    released.wait_for(kPatience);
    return std::vector<Bytes>{reply_to(query)};
  }};
};

}  // namespace

TEST_CASE("what an upstream has said is not asked again; each asker has its own id, spelling, RD and EDNS") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  running.ask(wire::query("example.org", wire::kA, {.id = 1}));
  auto plain = running.ask(wire::query("eXAMple.org", wire::kA, {.id = 2, .flags = 0}));
  CHECK(plain.id == 2);
  CHECK(plain.qname == "eXAMple.org.");
  CHECK_FALSE(plain.recursion_desired);
  CHECK(plain.answers.size() == 1);
  CHECK_FALSE(plain.opt());
  auto edns = running.ask(wire::edns_query("example.org", wire::kA, 4096));
  CHECK(edns.opt());
  CHECK(edns.answers.size() == 1);
  CHECK(upstream.asked() == 1);
  CHECK(running.counted().forwarded == 1);
  CHECK(running.counted().cache_hits == 2);
  CHECK(running.counted().server_failures == 0);
}

TEST_CASE("a kept answer is delivered during the call") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  running.ask(wire::query("example.org", wire::kA));
  auto again = running.start(wire::query("example.org", wire::kA));
  CHECK(is_ready(again));
}

TEST_CASE("questions that differ in name, type, DO or CD are asked each for itself") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  for (int round = 0; round < 2; ++round) {
    running.ask(wire::query("example.org", wire::kA));
    running.ask(wire::query("example.com", wire::kA));
    running.ask(wire::edns_query("example.org", wire::kA, 1232, 0x8000));
    running.ask(wire::query("example.org", wire::kA, {.flags = 0x0110}));
  }
  CHECK(upstream.asked() == 4);
}

TEST_CASE("an answer that may not be kept is asked for each time") {
  FakeUpstream upstream([](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query, 0x8183, 0)}; });
  Running running({upstream.endpoint()});
  for (int i = 0; i < 3; ++i) CHECK(running.ask(wire::query("nosuch.example", wire::kA)).rcode == 3);
  CHECK(upstream.asked() == 3);
  CHECK(running.counted().forwarded == 3);
}

TEST_CASE("an answer that was fetched over TCP is cut from the cache for UDP and given whole over TCP") {
  FakeUpstream upstream([](const Bytes& query, Over over) {
    return std::vector<Bytes>{over == Over::udp ? reply_to(query, 0x8380, 0) : reply_to(query, 0x8180, 200)};
  });
  Running running({upstream.endpoint()});
  auto query = wire::query("example.org", wire::kA);
  for (int i = 0; i < 2; ++i) {
    auto cut = running.ask(query);
    CHECK(cut.truncated);
    CHECK(cut.size <= 512);
    auto whole = running.ask(query, Transport::tcp);
    CHECK_FALSE(whole.truncated);
    CHECK(whole.answers.size() == 200);
  }
  CHECK(upstream.asked_over(Over::udp) == 1);
  CHECK(upstream.asked_over(Over::tcp) == 1);
  CHECK(running.counted().truncated == 2);
}

TEST_CASE("who asks what is being asked waits for the same reply: one question goes upstream") {
  HeldUpstream upstream;
  Running running({upstream.endpoint()});
  auto first = running.start(wire::query("example.org", wire::kA, {.id = 1}));
  auto second = running.start(wire::query("EXAMPLE.org", wire::kA, {.id = 2}));
  auto third = running.start(wire::edns_query("example.org", wire::kA, 1232), Transport::tcp);
  auto other = running.start(wire::query("example.com", wire::kA, {.id = 4}));
  CHECK(running.counted().joined == 2);
  CHECK_FALSE(is_ready(first));
  upstream.release();
  auto to_second = Running::wait(std::move(second));
  CHECK(to_second.id == 2);
  CHECK(to_second.qname == "EXAMPLE.org.");
  CHECK(to_second.answers.size() == 1);
  CHECK(Running::wait(std::move(first)).id == 1);
  CHECK(Running::wait(std::move(third)).opt());
  CHECK(Running::wait(std::move(other)).qname == "example.com.");
  CHECK(upstream.asked() == 2);
  CHECK(running.counted().forwarded == 4);
  // Nobody is left behind to be answered twice, and the answer is kept.
  CHECK(running.ask(wire::query("example.org", wire::kA)).answers.size() == 1);
  CHECK(upstream.asked() == 2);
}

TEST_CASE("those who wait for one reply are bounded: more are SERVFAIL at once") {
  HeldUpstream upstream;
  Running running({upstream.endpoint()});
  auto query = wire::query("example.org", wire::kA);
  std::vector<std::future<wire::Message>> waiting;
  for (int i = 0; i < 1 + 1024; ++i) waiting.push_back(running.start(query));
  auto excess = running.start(query);
  REQUIRE(is_ready(excess));
  CHECK(Running::wait(std::move(excess)).rcode == 2);
  CHECK_FALSE(is_ready(waiting.back()));
  upstream.release();
  for (auto& answer : waiting) REQUIRE(Running::wait(std::move(answer)).rcode == 0);
  CHECK(upstream.asked() == 1);
  CHECK(running.counted().forwarded == 1025);
  CHECK(running.counted().server_failures == 1);
  CHECK(running.counted().joined == 1024);
  // Their places are free again: of two who ask in the same moment the second may wait.
  std::promise<void> both;
  running.on_own_thread([&] {
    for (int i = 0; i < 2; ++i)
      running.service().forward(parse_query(wire::query("example.com", wire::kA)).query, NetworkId{}, {}, Transport::udp,
                                [&both, i](std::span<const std::uint8_t>) { if (i == 1) both.set_value(); });
  });
  CHECK(running.counted().joined == 1025);
  REQUIRE(both.get_future().wait_for(kPatience) == std::future_status::ready);
}

TEST_CASE("a SERVFAIL of an upstream's is kept, and counted as what it is") {
  FakeUpstream upstream([](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query, 0x8182, 0)}; });
  Running running({upstream.endpoint()});
  // Kept for five seconds: a machine that is too slow for two questions in that time has to try again.
  bool was_kept = false;
  for (int attempt = 0; attempt < 10 && !was_kept; ++attempt) {
    const int asked = upstream.asked();
    CHECK(running.ask(wire::query("broken.example", wire::kA)).rcode == 2);
    CHECK(running.ask(wire::query("broken.example", wire::kA)).rcode == 2);
    was_kept = upstream.asked() <= asked + 1;
  }
  CHECK(was_kept);
  CHECK(running.counted().server_failures == 0);
  CHECK(running.counted().cache_hits > 0);
}

TEST_CASE("when no upstream answers, that is a failure of our own for all who asked") {
  FakeUpstream upstream([](const Bytes&, Over) { return std::vector<Bytes>{}; });
  Running running({upstream.endpoint()}, {.try_timeout = 50ms, .total_timeout = 50ms, .dead_timeout = 10ms});
  auto query = wire::query("example.org", wire::kA);
  auto first = running.start(query), second = running.start(query);
  CHECK(Running::wait(std::move(first)).rcode == 2);
  CHECK(Running::wait(std::move(second)).rcode == 2);
  CHECK(running.ask(query).rcode == 2);
  CHECK(running.counted().server_failures == 3);
  CHECK(running.counted().forwarded == 0);
  CHECK(running.counted().cache_hits == 0);
}

TEST_CASE("that too many questions are out is not kept as their answer") {
  HeldUpstream upstream;
  Running running({upstream.endpoint()}, {.try_timeout = 60s, .total_timeout = 60s, .max_in_flight = 1});
  auto first = running.start(wire::query("example.org", wire::kA));
  auto refused = running.start(wire::query("example.com", wire::kA));
  REQUIRE(is_ready(refused));
  CHECK(Running::wait(std::move(refused)).rcode == 2);
  upstream.release();
  CHECK(Running::wait(std::move(first)).rcode == 0);
  CHECK(running.ask(wire::query("example.com", wire::kA)).rcode == 0);
}

TEST_CASE("after stop() nobody is answered, and what askers hold is let go") {
  HeldUpstream upstream;
  Running running({upstream.endpoint()});
  auto held = std::make_shared<int>(0);
  std::weak_ptr<int> is_held = held;
  std::atomic<int> delivered{0};
  auto ask = [&](const char* name) {
    running.on_own_thread([&] {
      running.service().forward(parse_query(wire::query(name, wire::kA)).query, NetworkId{}, {}, Transport::udp,
                                [held, &delivered](std::span<const std::uint8_t>) { ++delivered; });
    });
  };
  ask("example.org");
  ask("example.org");
  held.reset();
  CHECK_FALSE(is_held.expired());
  running.stop();
  CHECK(is_held.expired());
  ask("example.com");
  upstream.release();
  running.stop();
  CHECK(delivered == 0);
}
