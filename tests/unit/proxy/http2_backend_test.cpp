#include <catch2/catch.hpp>

#include "http2_peer.hpp"
#include "proxy/websocket_accept.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

/// A world whose app is spoken to in HTTP/2.
class Http2World : public ProxyWorld {
 public:
  explicit Http2World(std::vector<Upstream> machines, Options options = quick_options(),
                      ConcurrencyType type = ConcurrencyType::requests)
      : ProxyWorld(std::move(machines), std::move(options), {.http = true}, type) {
    snapshot().ports[0].backends[0].http.h2_backend = true;
    publish();
  }
};

/// Answers a request, once it is all there, with its method, path and body.
void echo(Http2Peer& peer, std::int32_t id) {
  auto& request = peer.messages[id];
  if (!request.ended) return;
  request.begun = false;  // only once
  std::string text = request.field(":method") + " " + request.field(":path") + " " + request.body;
  peer.answer(id, {{":status", "200"}, {"content-length", std::to_string(text.size())}});
  peer.send(id, text, true);
}

std::string read_answer(Wire& client, std::string* head = nullptr) {
  std::string text = client.read_head();
  if (head) *head = text;
  std::size_t at = text.find("ontent-length: ");
  return at == std::string::npos ? "" : client.read_exactly(std::stoul(text.substr(at + 15)));
}

}  // namespace

TEST_CASE("an app with h2_backend is spoken to in HTTP/2, all requests on one connection") {
  Notes seen;
  FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) {
    auto& request = peer.messages[id];
    if (request.ended) {
      seen.add(request.field(":scheme") + "|" + request.field(":authority") + "|" + request.field("te") + "|" +
               request.field("x-mine") + "|" + request.field("connection") + "|" + request.field("host"));
    }
    echo(peer, id);
  }));
  Http2World world({machine("m1", app.endpoint())});
  Wire first = world.connect();
  Wire second = world.connect();
  first.write("POST /one HTTP/1.1\r\nHost: hello.localhost\r\nX-Mine: yes\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(read_answer(first) == "POST /one abc");
  second.write("POST /two HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n");
  CHECK(read_answer(second) == "POST /two de");
  first.write(kGet);
  CHECK(read_answer(first) == "GET / ");
  CHECK(app.accepted() == 1);
  CHECK(seen.all().at(0) == "http|hello.localhost|trailers|yes||");
  CHECK(world.stats().upstream_reuses == 2);
}

TEST_CASE("one connection for each request where the type is connections") {
  FakeMachine app(http2_app(echo));
  Http2World world({machine("m1", app.endpoint())}, quick_options(), ConcurrencyType::connections);
  Wire client = world.connect();
  for (int i = 0; i < 3; ++i) {
    client.write(kGet);
    CHECK(read_answer(client) == "GET / ");
  }
  CHECK(app.accepted() == 3);
}

TEST_CASE("an unused connection goes after its time, or with its machine") {
  Notes ends;
  auto serve = http2_app(echo);
  FakeMachine app([&](Wire& wire, int number) {
    serve(wire, number);
    ends.add("closed");
  });
  Options options = quick_options();
  bool by_time = GENERATE(true, false);
  if (by_time) options.upstream_idle_limit = 50ms;
  Http2World world({machine("m1", app.endpoint())}, options);
  Wire client = world.connect();
  client.write(kGet);
  CHECK(read_answer(client) == "GET / ");
  if (!by_time) {
    CHECK(eventually([&] { return world.stats().upstream_idle == 1; }));
    world.service().upstreams.clear();
    world.publish();
  }
  CHECK(eventually([&] { return ends.all().size() == 1; }));
  CHECK(eventually([&] { return world.stats().upstream_idle == 0; }));
}

TEST_CASE("gRPC's shapes pass from an HTTP/2 client to an HTTP/2 app") {
  SECTION("messages in both directions, unbuffered, and a status in trailers") {
    FakeMachine app(http2_app([](Http2Peer& peer, std::int32_t id) {
      auto& request = peer.messages[id];
      if (request.field("x-answered") == "") {
        request.fields.emplace_back("x-answered", "1");
        peer.answer(id, {{":status", "200"}, {"content-type", "application/grpc"}});
      }
      if (!request.body.empty()) peer.send(id, "<" + std::exchange(request.body, "") + ">", false);
      if (request.ended) {
        request.begun = false;
        peer.send(id, "", true, {{"grpc-status", "0"}, {"x-count", request.trailer("x-sent")}});
      }
    }));
    Http2World world({machine("m1", app.endpoint())});
    Http2Client client(world);
    auto id = client.request(
        Http2Peer::get_fields("POST", "/a.B/C", {{"content-type", "application/grpc"}, {"te", "trailers"}}), true);
    std::string expected;
    for (std::string message : {"one", "two", "three"}) {
      client.send(id, message, false);
      expected += "<" + message + ">";
      // The answer to each message comes before the next one is sent.
      REQUIRE(client.until([&] { return client.messages[id].body == expected; }));
    }
    client.send(id, "", true, {{"x-sent", "3"}});
    REQUIRE(client.until([&] { return client.messages[id].closed; }));
    CHECK(client.messages[id].field("content-type") == "application/grpc");
    CHECK(client.messages[id].trailer("grpc-status") == "0");
    CHECK(client.messages[id].trailer("x-count") == "3");
    CHECK(client.messages[id].error == 0);
  }
  SECTION("an answer of trailers only") {
    FakeMachine app(http2_app([](Http2Peer& peer, std::int32_t id) {
      peer.messages[id].begun = false;
      peer.answer(id, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "12"}}, false);
    }));
    Http2World world({machine("m1", app.endpoint())});
    Http2Client client(world);
    auto id = client.request(Http2Peer::get_fields("POST", "/a.B/C"), true);
    client.send(id, "", true);
    REQUIRE(client.until_ended(id));
    CHECK(client.messages[id].field("grpc-status") == "12");
    CHECK(client.messages[id].trailers.empty());
    CHECK(client.messages[id].body == "");
  }
}

TEST_CASE("a large body passes through both ends' windows unchanged") {
  FakeMachine app(http2_app(echo));
  Http2World world({machine("m1", app.endpoint())});
  std::string body;
  while (body.size() < 2 * 1024 * 1024) body += std::to_string(body.size()) + ";";
  Http2Client client(world);
  auto id = client.request(Http2Peer::get_fields("POST", "/"), true);
  client.send(id, body, true);
  REQUIRE(client.until_ended(id));
  CHECK(client.messages[id].body == "POST / " + body);
}

TEST_CASE("a request that the machine has not begun is sent again, whatever it asks for") {
  std::atomic<int> refused{0};
  SECTION("REFUSED_STREAM") {
    FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) {
      if (refused++ == 0) return peer.reset(id, NGHTTP2_REFUSED_STREAM);
      echo(peer, id);
    }));
    Http2World world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 0\r\n\r\n");
    CHECK(read_answer(client) == "POST / ");
    CHECK(world.stats().retries == 1);
  }
  SECTION("GOAWAY") {
    FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) {
      if (refused++ == 0) return peer.goaway(0);
      if (refused > 1) echo(peer, id);
    }));
    Http2World world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 0\r\n\r\n");
    CHECK(read_answer(client) == "POST / ");
    CHECK(world.stats().retries == 1);
  }
  SECTION("but one that it broke off is not") {
    std::atomic<int> requests{0};
    FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) {
      ++requests;
      peer.messages[id].begun = false;
      peer.reset(id, NGHTTP2_INTERNAL_ERROR);
    }));
    Http2World world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 0\r\n\r\n");
    std::string head;
    CHECK(has(read_answer(client, &head), "PU02"));
    CHECK(requests == 1);
  }
}

TEST_CASE("no more streams than the machine takes are opened on a connection") {
  std::atomic<int> most{0};
  FakeMachine app(http2_app(
      [&](Http2Peer& peer, std::int32_t id) {
        int open = 0;
        for (auto other : peer.opened) open += peer.messages[other].closed ? 0 : 1;
        most = std::max(most.load(), open);
        if (peer.messages[id].field(":path") != "/hold") echo(peer, id);
      },
      2));
  Http2World world({machine("m1", app.endpoint())});
  Wire first = world.connect();
  first.write(kGet);
  CHECK(read_answer(first) == "GET / ");
  std::vector<Wire> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(world.connect());
    held.back().write("GET /hold HTTP/1.1\r\nHost: hello.localhost\r\n\r\n");
    CHECK(eventually([&] { return world.stats().requests == std::uint64_t(i) + 2; }));
  }
  first.write(kGet);
  CHECK(read_answer(first) == "GET / ");
  CHECK(app.accepted() == 2);
  CHECK(most <= 2);
}

TEST_CASE("a machine that does not speak HTTP/2 is a 502 that says so") {
  SECTION("it answers in HTTP/1.1") {
    FakeMachine app([](Wire& wire, int) {
      wire.read_head();
      wire.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    Http2World world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write(kGet);
    std::string head;
    std::string body = read_answer(client, &head);
    CHECK(head.starts_with("HTTP/1.1 502 "));
    CHECK(has(body, "PU01"));
  }
  SECTION("it says nothing") {
    Options options = quick_options();
    options.connect_limit = 100ms;
    FakeMachine app([](Wire& wire, int) { wire.read_to_end(); });
    Http2World world({machine("m1", app.endpoint())}, options);
    Wire client = world.connect();
    client.write(kGet);
    CHECK(has(read_answer(client), "PU01"));
  }
  SECTION("nobody listens") {
    Http2World world({machine("m1", closed_endpoint())});
    Wire client = world.connect();
    client.write(kGet);
    CHECK(has(read_answer(client), "PR03"));
  }
}

TEST_CASE("a client that leaves resets its stream, and the machine's other streams go on") {
  std::atomic<bool> cancelled{false};
  std::atomic<bool> held{false};
  FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) {
    if (peer.messages[id].field(":path") == "/hold") {
      held = true;
      return;
    }
    for (auto other : peer.opened) cancelled = cancelled || peer.messages[other].error == NGHTTP2_CANCEL;
    echo(peer, id);
  }));
  Http2World world({machine("m1", app.endpoint())});
  Wire leaving = world.connect();
  leaving.write("GET /hold HTTP/1.1\r\nHost: hello.localhost\r\n\r\n");
  REQUIRE(eventually([&] { return held.load(); }));
  leaving.close();
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
  Wire staying = world.connect();
  staying.write(kGet);
  CHECK(read_answer(staying) == "GET / ");
  CHECK(cancelled);
  CHECK(app.accepted() == 1);
}

TEST_CASE("a machine's connection that breaks fails what was under way on it") {
  FakeMachine app([](Wire& wire, int) {
    Http2Peer peer(wire.socket(), Http2Peer::Side::server);
    peer.until([&] { return peer.opened.size() == 2; });
    peer.answer(peer.opened[0], {{":status", "200"}, {"content-length", "10"}});
    peer.send(peer.opened[0], "half", false);
    peer.flush();
  });
  Http2World world({machine("m1", app.endpoint())});
  Wire half = world.connect();
  half.write("GET /half HTTP/1.1\r\nHost: hello.localhost\r\n\r\n");
  CHECK(eventually([&] { return world.stats().upstream_connects == 1; }));
  Wire none = world.connect();
  none.write("POST /none HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 0\r\n\r\n");
  CHECK(has(half.read_to_end(), "half"));
  CHECK(has(read_answer(none), "PU02"));
  CHECK(world.stats().upstream_failures == 2);
}

TEST_CASE("the answer to a WebSocket's key is RFC 6455's") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

namespace {

const std::string kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Agrees to WebSockets on /ws and sends what comes back in brackets; refuses others.
void serve_websocket(Http2Peer& peer, std::int32_t id, Notes& seen) {
  auto& request = peer.messages[id];
  if (request.field("x-answered") == "") {
    request.fields.emplace_back("x-answered", "1");
    std::string names;
    for (const auto& [name, value] : request.fields) {
      if (name.starts_with(':') || name.starts_with("sec-websocket") || name == "te") names += name + "=" + value + " ";
    }
    seen.add(names);
    const bool agrees = request.field(":path") == "/ws";
    if (agrees) {
      peer.answer(id, {{":status", "200"}, {"sec-websocket-protocol", "chat"}});
    } else {
      peer.answer(id, {{":status", "403"}, {"content-length", "2"}});
      peer.send(id, "no", true);
      request.begun = false;
    }
  }
  if (!request.body.empty()) peer.send(id, "[" + std::exchange(request.body, "") + "]", false);
  if (request.ended) {
    request.begun = false;
    peer.send(id, "bye", true);
  }
}

}  // namespace

TEST_CASE("a WebSocket goes to an HTTP/2 app as an extended CONNECT, where the app takes such (RFC 8441)") {
  Notes seen;
  FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) { serve_websocket(peer, id, seen); }, 100, true));
  Http2World world({machine("m1", app.endpoint())});
  SECTION("from HTTP/1.1, on a new connection and on one that is there") {
    for (int i = 0; i < 2; ++i) {
      Wire client = world.connect();
      client.write(kUpgrade);
      const std::string head = client.read_head();
      CHECK(head.starts_with("HTTP/1.1 101 "));
      CHECK(has(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
      CHECK(has(head, "sec-websocket-protocol: chat\r\n"));
      for (std::string message : {"one", "two", "three"}) {
        client.write(message);
        CHECK(client.read_exactly(message.size() + 2) == "[" + message + "]");
      }
      client.end_writing();
      CHECK(client.read_to_end() == "bye");
      CHECK(has(seen.all().at(static_cast<std::size_t>(i)), ":method=CONNECT :protocol=websocket :scheme=http :authority=hello.localhost :path=/ws "));
      CHECK_FALSE(has(seen.all()[static_cast<std::size_t>(i)], "sec-websocket-key"));
    }
    CHECK(app.accepted() == 1);
  }
  SECTION("from HTTP/2") {
    Http2Client client(world);
    REQUIRE(client.until([&] { return client.settings[NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL] == 1; }));
    auto id = client.request({{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "hello.localhost"},
                              {":path", "/ws"}, {":protocol", "websocket"}, {"sec-websocket-version", "13"}},
                             true);
    client.send(id, "early", false);
    REQUIRE(client.until([&] { return client.messages[id].body == "[early]"; }));
    CHECK(client.messages[id].field(":status") == "200");
    client.send(id, "", true);
    REQUIRE(client.until([&] { return client.messages[id].closed; }));
    CHECK(client.messages[id].body == "[early]bye");
  }
  SECTION("an app that refuses answers as usual") {
    Wire client = world.connect();
    std::string refused = kUpgrade;
    client.write(refused.replace(refused.find("/ws"), 3, "/no"));
    std::string head;
    CHECK(read_answer(client, &head) == "no");
    CHECK(head.starts_with("HTTP/1.1 403 "));
  }
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
}

TEST_CASE("what only looks like a WebSocket's request goes to an HTTP/2 app as it is") {
  FakeMachine app(http2_app(echo, 100, true));
  Http2World world({machine("m1", app.endpoint())});
  for (std::string method : {"POST", "GET"}) {
    Wire client = world.connect();
    client.write(method + " /ws HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                 "Content-Length: 4\r\n\r\nbody");
    CHECK(read_answer(client) == method + " /ws body");
  }
}

TEST_CASE("an HTTP/2 app that takes no WebSockets gets the request without the upgrade") {
  Notes seen;
  FakeMachine app(http2_app([&](Http2Peer& peer, std::int32_t id) {
    if (peer.messages[id].ended) seen.add(peer.messages[id].field("upgrade") + "|" + peer.messages[id].field(":protocol"));
    echo(peer, id);
  }));
  Http2World world({machine("m1", app.endpoint())});
  for (int i = 0; i < 2; ++i) {
    Wire client = world.connect();
    client.write(kUpgrade);
    CHECK(read_answer(client) == "GET /ws ");
  }
  CHECK(seen.all() == std::vector<std::string>{"|", "|"});
}
