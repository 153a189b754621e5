#include "dns/server.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <memory>
#include <set>

#include "tests/unit/dns/loopback.hpp"

using namespace flylocal;
using namespace flylocal::dns;
using namespace loopback;
using wire::operator+;
using Over = FakeUpstream::Over;

namespace {

constexpr NetworkId kNetwork{0x18};
constexpr NetworkId kOtherNetwork{0x19};

std::shared_ptr<const ZoneSnapshot> snapshot(unsigned machines, NetworkId network = kNetwork) {
  App app;
  app.name = "web";
  for (unsigned i = 0; i < machines; ++i) {
    app.machines.push_back({fmt::format("{:014x}", i),
                            "iad",
                            "app",
                            asio::ip::make_address_v6(fmt::format("fdaa:0:18::{:x}:2", i + 1)),
                            MachineState::started,
                            {}});
  }
  World world;
  world.networks.push_back({.id = network, .apps = {app}, .peers = {}, .api = {}, .client_region = {}});
  return std::make_shared<ZoneSnapshot>(std::move(world));
}

/// A server as the program has it: its own thread, and another for the forwarder.
class Running {
 public:
  explicit Running(std::vector<asio::ip::udp::endpoint> upstreams = {}, ServerOptions options = {},
                   ForwarderOptions forwarder_options = {.try_timeout = 500ms, .total_timeout = 2000ms})
      : forwarder_(host_.executor(), std::move(upstreams), forwarder_options),
        server_(backbone_.executor(), forwarder_, options) {}
  ~Running() {
    backbone_.run(server_.shutdown());
    host_.run(forwarder_.shutdown());
  }

  asio::ip::udp::endpoint add_network(NetworkId network = kNetwork, const char* address = "127.0.0.1") {
    BoundPair pair(address);
    auto added = server_.add_network(network, std::move(pair.udp), std::move(pair.tcp));
    if (!added) throw std::runtime_error(added.error().message);
    return pair.endpoint;
  }
  Server& server() { return server_; }
  void shut_down() { backbone_.run(server_.shutdown()); }
  const Statistics& statistics() const { return server_.statistics(); }

 private:
  ContextThread host_, backbone_;
  Forwarder forwarder_;
  Server server_;
};

std::vector<Bytes> answers(const Bytes& query, Over) {
  return {reply_to(query)};
}

}  // namespace

TEST_CASE("the server answers over UDP and TCP, on IPv4 and IPv6") {
  Running running;
  running.server().publish(snapshot(2));
  for (auto address : {"127.0.0.1", "::1"}) {
    auto endpoint = running.add_network(kNetwork, address);
    CHECK(UdpClient(endpoint).ask(wire::query("web.internal", wire::kAaaa)).answers.size() == 2);
    TcpClient tcp(endpoint);
    tcp.send(wire::query("web.internal", wire::kAaaa));
    CHECK(tcp.receive().value().answers.size() == 2);
  }
}

TEST_CASE("a published snapshot is the truth for the next query") {
  Running running;
  auto endpoint = running.add_network();
  UdpClient client(endpoint);
  CHECK(client.ask(wire::query("web.internal", wire::kAaaa)).rcode == 2);
  for (unsigned machines = 1; machines <= 300; ++machines) {
    running.server().publish(snapshot(machines % 7));
    REQUIRE(client.ask(wire::query("web.internal", wire::kAaaa)).answers.size() == machines % 7);
  }
}

TEST_CASE("the socket on which a query comes tells which network asks") {
  Running running;
  running.server().publish(snapshot(1, kNetwork));
  auto own = running.add_network(kNetwork), other = running.add_network(kOtherNetwork);
  CHECK(UdpClient(own).ask(wire::query("web.internal", wire::kAaaa)).answers.size() == 1);
  CHECK(UdpClient(other).ask(wire::query("web.internal", wire::kAaaa)).rcode == 2);
}

TEST_CASE("an answer that UDP cuts is whole over TCP") {
  Running running;
  running.server().publish(snapshot(200));
  auto endpoint = running.add_network();
  CHECK(UdpClient(endpoint).ask(wire::query("web.internal", wire::kAaaa)).truncated);
  TcpClient tcp(endpoint);
  tcp.send(wire::query("web.internal", wire::kAaaa));
  auto answer = tcp.receive().value();
  CHECK_FALSE(answer.truncated);
  CHECK(answer.answers.size() == 200);
}

TEST_CASE("other names are forwarded, over UDP and TCP, with the asker's id and spelling") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  auto endpoint = running.add_network();
  auto query = wire::query("ExAmple.ORG", wire::kA, {.id = 0x5A5A});
  TcpClient tcp(endpoint);
  tcp.send(query);
  for (auto& answer : {UdpClient(endpoint).ask(query), tcp.receive().value()}) {
    CHECK(answer.id == 0x5A5A);
    CHECK(answer.qname == "ExAmple.ORG.");
    CHECK(answer.answers.size() == 1);
    CHECK(answer.rcode == 0);
  }
  // The second waits for the first's reply, or finds it kept.
  CHECK(running.statistics().forwarded + running.statistics().cache_hits == 2);
  CHECK(upstream.asked() == 1);
}

TEST_CASE("a large upstream answer is cut over UDP and whole over TCP") {
  FakeUpstream upstream([](const Bytes& query, Over over) {
    return std::vector<Bytes>{over == Over::udp ? reply_to(query, 0x8380, 0) : reply_to(query, 0x8180, 200)};
  });
  Running running({upstream.endpoint()});
  auto endpoint = running.add_network();
  auto cut = UdpClient(endpoint).ask(wire::query("example.org", wire::kA));
  CHECK(cut.truncated);
  CHECK(cut.size <= 512);
  TcpClient tcp(endpoint);
  tcp.send(wire::query("example.org", wire::kA));
  CHECK(tcp.receive().value().answers.size() == 200);
}

TEST_CASE("without an upstream a forwarded name is SERVFAIL at once, with the question and EDNS") {
  Running running({}, {}, {.try_timeout = 60s, .total_timeout = 60s});
  auto answer = UdpClient(running.add_network()).ask(wire::edns_query("example.org", wire::kA, 1232));
  CHECK(answer.rcode == 2);
  CHECK(answer.qname == "example.org.");
  CHECK(answer.opt());
  CHECK(running.statistics().server_failures == 1);
}

TEST_CASE("a slow upstream holds up no answer of ours") {
  FakeUpstream upstream([](const Bytes&, Over) { return std::vector<Bytes>{}; });
  Running running({upstream.endpoint()}, {}, {.try_timeout = 60s, .total_timeout = 60s});
  running.server().publish(snapshot(1));
  auto endpoint = running.add_network();
  UdpClient udp(endpoint);
  udp.send(wire::query("example.org", wire::kA, {.id = 1}));
  CHECK(udp.ask(wire::query("web.internal", wire::kAaaa, {.id = 2})).id == 2);

  // Also behind it on the same TCP connection (RFC 7766 6.2.1.1).
  TcpClient tcp(endpoint);
  tcp.send(wire::query("example.org", wire::kA, {.id = 3}));
  tcp.send(wire::query("web.internal", wire::kAaaa, {.id = 4}));
  CHECK(tcp.receive().value().id == 4);
}

TEST_CASE("in a burst from several askers each gets the answers to its own queries, and what has none holds up nobody") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  running.server().publish(snapshot(1));
  auto endpoint = running.add_network();
  constexpr std::uint16_t kAskers = 5, kQueries = 40;
  std::vector<std::unique_ptr<UdpClient>> askers;
  for (unsigned i = 0; i < kAskers; ++i) askers.push_back(std::make_unique<UdpClient>(endpoint));
  // From ours, forwarded and dropped ones in turn.
  for (std::uint16_t n = 0; n < kQueries; ++n) {
    for (std::uint16_t i = 0; i < kAskers; ++i) {
      const auto id = static_cast<std::uint16_t>(i * 1000 + n);
      if (n % 4 == 1) {
        askers[i]->send(wire::query("example.org", wire::kA, {.id = id}));
      } else if (n % 4 == 2) {
        askers[i]->send(wire::query("web.internal", wire::kAaaa, {.id = id, .flags = 0x8180}));
      } else {
        askers[i]->send(wire::query("web.internal", wire::kAaaa, {.id = id}));
      }
    }
  }
  for (std::uint16_t i = 0; i < kAskers; ++i) {
    std::set<std::uint16_t> ids;
    for (unsigned n = 0; n < kQueries / 4 * 3; ++n) {
      const auto answer = askers[i]->receive();
      REQUIRE(answer);
      CHECK(answer->answers.size() == 1);
      CHECK(answer->qname == (answer->id % 1000 % 4 == 1 ? "example.org." : "web.internal."));
      CHECK(answer->id / 1000 == i);
      ids.insert(answer->id);
    }
    CHECK(ids.size() == kQueries / 4 * 3);
  }
  CHECK(running.statistics().dropped == kAskers * kQueries / 4);
}

TEST_CASE("responses and fragments of a header get no answer, and do no harm") {
  Running running;
  running.server().publish(snapshot(1));
  UdpClient client(running.add_network());
  client.send({});
  client.send({1, 2, 3});
  client.send(wire::query("web.internal", wire::kAaaa, {.id = 1, .flags = 0x8180}));
  CHECK(client.ask(wire::query("web.internal", wire::kAaaa, {.id = 2})).id == 2);
  CHECK(running.statistics().dropped == 3);
}

TEST_CASE("a datagram larger than any query is FORMERR") {
  Running running;
  running.server().publish(snapshot(1));
  auto query = wire::query("web.internal", wire::kAaaa) + wire::Bytes(6000, 0);
  CHECK(UdpClient(running.add_network()).ask(query).rcode == 1);
}

TEST_CASE("pipelined queries are all answered, even when the asker has closed its side (RFC 7766 6.2.1.1)") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  running.server().publish(snapshot(3));
  TcpClient tcp(running.add_network());
  wire::Bytes octets;
  constexpr unsigned kQueries = 500;
  for (unsigned i = 0; i < kQueries; ++i) {
    auto id = static_cast<std::uint16_t>(i);
    // Every tenth has to be forwarded.
    octets = octets + TcpClient::framed(wire::query(i % 10 == 0 ? "example.org" : "web.internal",
                                                    i % 10 == 0 ? wire::kA : wire::kAaaa, {.id = id}));
  }
  tcp.send_octets(octets);
  tcp.finish_sending();
  std::vector<bool> seen(kQueries);
  for (unsigned i = 0; i < kQueries; ++i) {
    auto answer = tcp.receive();
    REQUIRE(answer);
    REQUIRE(answer->id < kQueries);
    CHECK_FALSE(seen[answer->id]);
    seen[answer->id] = true;
    REQUIRE(answer->answers.size() == (answer->id % 10 == 0 ? 1 : 3));
  }
  CHECK(tcp.is_closed_by_server());
}

TEST_CASE("a query may come in single octets (RFC 7766 8)") {
  Running running;
  running.server().publish(snapshot(1));
  TcpClient tcp(running.add_network());
  for (auto octet : TcpClient::framed(wire::query("web.internal", wire::kAaaa))) tcp.send_octets({octet});
  CHECK(tcp.receive().value().answers.size() == 1);
}

TEST_CASE("a query of the largest size is read whole") {
  Running running;
  TcpClient tcp(running.add_network());
  tcp.send(wire::query("web.internal", wire::kAaaa) + wire::Bytes(65535 - 30, 0));
  CHECK(tcp.receive().value().rcode == 1);
}

TEST_CASE("an asker who does not read is not written to without end, and the others do not notice") {
  Running running({}, {.tcp_idle_timeout = 300ms});
  running.server().publish(snapshot(2000));
  auto endpoint = running.add_network();
  TcpClient greedy(endpoint);
  auto query = TcpClient::framed(wire::query("web.internal", wire::kAaaa));
  wire::Bytes many;
  for (int i = 0; i < 100; ++i) many = many + query;
  // About 56 KB of answer for 32 octets of query, none of them read, until the server has had enough.
  bool closed = false;
  for (int i = 0; i < 1000 && !closed; ++i) {
    pollfd poll_fd{greedy.fd(), POLLOUT, 0};
    ::poll(&poll_fd, 1, 100);
    closed = poll_fd.revents & (POLLERR | POLLHUP);
    if (!closed && (poll_fd.revents & POLLOUT)) {
      closed =
          ::send(greedy.fd(), many.data(), many.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
    }
  }
  CHECK(closed);
  CHECK(UdpClient(endpoint).ask(wire::query("web.internal", wire::kAaaa)).truncated);
}

TEST_CASE("an idle connection is closed, and one that brings a query octet by octet too slowly") {
  Running running({}, {.tcp_idle_timeout = 100ms});
  auto endpoint = running.add_network();
  TcpClient idle(endpoint), started(endpoint);
  started.send_octets({0, 30, 1, 2, 3});
  CHECK(idle.is_closed_by_server());
  CHECK(started.is_closed_by_server());
}

TEST_CASE("a message over TCP that is no query closes the connection") {
  Running running;
  TcpClient tcp(running.add_network());
  tcp.send({});
  CHECK(tcp.is_closed_by_server());
}

TEST_CASE("connections over the limit wait until another ends") {
  Running running({}, {.max_tcp_connections = 2});
  running.server().publish(snapshot(1));
  auto endpoint = running.add_network();
  auto query = wire::query("web.internal", wire::kAaaa);
  std::optional<TcpClient> first(endpoint), second(endpoint);
  for (auto* client : {&*first, &*second}) {
    client->send(query);
    REQUIRE(client->receive());
  }
  TcpClient third(endpoint);
  third.send(query);
  CHECK_FALSE(wait_readable(third.fd(), 50ms));
  first.reset();
  CHECK(third.receive());
  CHECK(running.statistics().tcp_connections == 3);
}

TEST_CASE("the server is called what its options say (RFC 4892 3)") {
  ServerOptions options;
  options.responder.server_name = "flylocal 9.9";
  Running running({}, options);
  const auto answer =
      UdpClient(running.add_network()).ask(wire::header({}) + wire::question("version.server", wire::kTxt, 3));
  REQUIRE(answer.answers.size() == 1);
  CHECK(wire::text(answer.answers[0]) == "flylocal 9.9");
}

TEST_CASE("the counters tell what came of the queries") {
  FakeUpstream upstream(answers);
  Running running({upstream.endpoint()});
  running.server().publish(snapshot(100));
  UdpClient client(running.add_network());
  client.ask(wire::query("00000000000001.vm.web.internal", wire::kAaaa));
  client.ask(wire::query("web.internal", wire::kAaaa));
  client.ask(wire::query("web.internal", wire::kA));
  client.ask(wire::query("nosuch.internal", wire::kA));
  client.ask(wire::header({.questions = 0}));
  client.ask(wire::query("example.org", wire::kA));
  auto& counted = running.statistics();
  CHECK(counted.queries == 6);
  CHECK(counted.answered == 2);
  CHECK(counted.truncated == 1);
  CHECK(counted.no_data == 1);
  CHECK(counted.name_errors == 1);
  CHECK(counted.refused == 1);
  CHECK(counted.forwarded == 1);
  client.ask(wire::query("example.org", wire::kA));
  CHECK(counted.cache_hits == 1);
  CHECK(counted.forwarded == 1);
  CHECK(counted.server_failures == 0);
}

TEST_CASE("shutdown closes connections and does not wait for upstreams") {
  FakeUpstream upstream([](const Bytes&, Over) { return std::vector<Bytes>{}; });
  Running running({upstream.endpoint()}, {}, {.try_timeout = 60s, .total_timeout = 60s});
  auto endpoint = running.add_network();
  UdpClient udp(endpoint);
  TcpClient waiting(endpoint), idle(endpoint);
  udp.send(wire::query("example.org", wire::kA));
  waiting.send(wire::query("example.org", wire::kA));
  waiting.send(wire::query("localhost", wire::kA));
  REQUIRE(waiting.receive());
  running.shut_down();
  CHECK(waiting.is_closed_by_server());
  CHECK(idle.is_closed_by_server());
  running.shut_down();  // once more does no harm
}

TEST_CASE("descriptors that are no bound DNS sockets are refused with the reason") {
  Running running;
  BoundPair pair;
  auto swapped = running.server().add_network(kNetwork, std::move(pair.tcp), std::move(pair.udp));
  REQUIRE(swapped.has_error());
  CHECK(swapped.error().message.find("swapped") != std::string::npos);
  auto none = running.server().add_network(kNetwork, UniqueFd(), UniqueFd());
  REQUIRE(none.has_error());
  CHECK(none.error().code == std::errc::bad_file_descriptor);
  int pipes[2];
  REQUIRE(::pipe2(pipes, O_CLOEXEC) == 0);
  CHECK(running.server().add_network(kNetwork, UniqueFd(pipes[0]), UniqueFd(pipes[1])).has_error());
}
