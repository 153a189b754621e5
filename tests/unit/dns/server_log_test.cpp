#include <catch2/catch.hpp>

#include "dns/record_text.hpp"
#include "dns/server.hpp"
#include "tests/unit/dns/loopback.hpp"

using namespace flylocal;
using namespace flylocal::dns;
using namespace loopback;
using Over = FakeUpstream::Over;

namespace {

constexpr NetworkId kNetwork{0x18};

/// A server that answers on the loopback interface, with its log.
class Running {
 public:
  explicit Running(std::vector<asio::ip::udp::endpoint> upstreams)
      : forwarder_(host_.executor(), std::move(upstreams), {.try_timeout = 500ms, .total_timeout = 2000ms}), server_(backbone_.executor(), forwarder_) {
    BoundPair pair("127.0.0.1");
    auto added = server_.add_network(kNetwork, std::move(pair.udp), std::move(pair.tcp));
    if (!added) throw std::runtime_error(added.error().message);
    endpoint_ = pair.endpoint;
  }
  ~Running() {
    backbone_.run(server_.shutdown());
    host_.run(forwarder_.shutdown());
  }

  Server& server() { return server_; }
  asio::ip::udp::endpoint endpoint() const { return endpoint_; }
  std::vector<QueryRecord> logged() {
    std::vector<QueryRecord> records;
    host_.run([](const Server& from, std::vector<QueryRecord>& out) -> Task<> { out = co_await from.logged_since(0, 100); }(server_, records));
    return records;
  }

 private:
  ContextThread host_, backbone_;
  Forwarder forwarder_;
  Server server_;
  asio::ip::udp::endpoint endpoint_;
};

}  // namespace

TEST_CASE("the server logs what it answers, with where the answer came from") {
  FakeUpstream upstream([](const Bytes& query, Over) { return std::vector<Bytes>{reply_to(query)}; });
  Running running({upstream.endpoint()});
  World world;
  Network& network = world.networks.emplace_back();
  network.id = kNetwork;
  network.apps.emplace_back().name = "web";
  running.server().publish(std::make_shared<ZoneSnapshot>(std::move(world)));
  CHECK(running.server().logged_end() == 0);

  UdpClient udp(running.endpoint());
  udp.ask(wire::query("none.internal", wire::kAaaa));
  udp.ask(wire::query("example.org", wire::kA));
  TcpClient tcp(running.endpoint());
  tcp.send(wire::query("web.internal", wire::kA));
  REQUIRE(tcp.receive());
  udp.ask(wire::query("web.internal", wire::kAxfr));

  CHECK(running.server().logged_end() == 4);
  const auto records = running.logged();
  REQUIRE(records.size() == 4);
  const Origin origins[] = {Origin::zone, Origin::upstream, Origin::zone, Origin::none};
  const char* names[] = {"none.internal.", "example.org.", "web.internal.", "web.internal."};
  const Rcode rcodes[] = {Rcode::name_error, Rcode::no_error, Rcode::no_error, Rcode::refused};
  for (std::size_t i = 0; i < records.size(); ++i) {
    CAPTURE(i);
    CHECK(records[i].number == i);
    CHECK(records[i].origin == origins[i]);
    CHECK(records[i].name.text() == names[i]);
    CHECK(records[i].network == kNetwork);
    CHECK(records[i].client.to_string() == "::ffff:127.0.0.1");
    const auto message = read_message(records[i].response);
    REQUIRE(message);
    CHECK(message->rcode == rcodes[i]);
  }
  CHECK(records[2].transport == Transport::tcp);
  CHECK(records[1].took > 0ns);
  CHECK(read_message(records[1].response)->answers.size() == 1);
}

TEST_CASE("a query that no upstream answers is logged with SERVFAIL, and what is no query is not") {
  Running running({});
  UdpClient udp(running.endpoint());
  udp.send(wire::query("web.internal", wire::kA, {.flags = 0x8000}));  // a response
  CHECK(udp.ask(wire::query("example.org", wire::kA)).rcode == 2);
  const auto records = running.logged();
  REQUIRE(records.size() == 1);
  CHECK(records[0].origin == Origin::none);
  CHECK(records[0].name.text() == "example.org.");
}
