#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

struct OptionsWorld : ProxyWorld {
  OptionsWorld(const FakeMachine& app, HttpOptions options, std::uint16_t https_port = 443, Options own = quick_options())
      : ProxyWorld({machine("m1", app.endpoint())}, own) {
    snapshot().ports[0].backends[0].http = std::move(options);
    snapshot().ports[0].backends[0].https_port = https_port;
    publish();
  }
};

/// The head of the answer to one request, and the body that its Content-Length announces.
std::string ask(Wire& client, std::string_view request, std::string* body = nullptr) {
  client.write(request);
  std::string head = client.read_head();
  std::size_t at = head.find("content-length: ");
  std::string text = at == std::string::npos ? "" : client.read_exactly(std::stoul(head.substr(at + 16)));
  if (body) *body = text;
  return head;
}

}  // namespace

TEST_CASE("force_https sends plain requests to the same address with TLS, and no machine hears of them") {
  FakeMachine app(answering(ok("hi")));
  {
    OptionsWorld world(app, {.force_https = true});
    Wire client = world.connect();
    std::string head = ask(client, "GET /a?b=%20c HTTP/1.1\r\nHost: Hello.localhost:8080\r\n\r\n");
    CHECK(head.starts_with("HTTP/1.1 301 Moved Permanently\r\nlocation: https://Hello.localhost/a?b=%20c\r\ncontent-length: 0\r\nserver: "));
    CHECK(has(ask(client, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "location: https://[::1]/\r\n"));
    head = ask(client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345");
    CHECK(has(head, "location: https://h/x\r\n"));
    CHECK(has(head, "connection: close\r\n"));
    CHECK(client.at_end());
  }
  OptionsWorld world(app, {.force_https = true}, 8443);
  Wire client = world.connect();
  CHECK(has(ask(client, kGet), "location: https://hello.localhost:8443/\r\n"));
  CHECK(has(ask(client, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "location: https://h:8443/\r\n"));
  Wire old = world.connect();
  CHECK(has(ask(old, "GET /old HTTP/1.0\r\n\r\n"), "location: https://127.0.0.1:8443/old\r\n"));
  CHECK(app.accepted() == 0);
}

TEST_CASE("a machine that stays silent for the app's idle_timeout is given up: 504 before an answer, a break in one") {
  SECTION("no answer") {
    FakeMachine app([](Wire& wire, int) { wire.read_to_end(); });
    OptionsWorld world(app, {.idle_timeout = 100ms});
    Wire client = world.connect();
    std::string body;
    std::string head = ask(client, kGet, &body);
    CHECK(head.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
    CHECK(has(body, "idle_timeout"));
    CHECK(world.stats().upstream_failures == 1);
  }
  SECTION("half an answer") {
    FakeMachine app([](Wire& wire, int) {
      wire.read_head();
      wire.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
      wire.read_to_end();
    });
    OptionsWorld world(app, {.idle_timeout = 100ms});
    Wire client = world.connect();
    client.write(kGet);
    client.read_head();
    CHECK(client.read_to_end() == "12345");
  }
  SECTION("an upgraded connection") {
    FakeMachine app([](Wire& wire, int) {
      wire.read_head();
      wire.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
      wire.read_to_end();
    });
    OptionsWorld world(app, {.idle_timeout = 100ms});
    Wire client = world.connect();
    client.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    CHECK(has(client.read_head(), " 101 "));
    CHECK(client.at_end());
  }
}

TEST_CASE("bytes in either direction keep a connection from being idle") {
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    std::string body = wire.read_exactly(10);
    wire.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    for (char c : body) {
      // Each pause is well below the limit, all of them together are above it.
      std::this_thread::sleep_for(100ms);
      wire.write(std::string_view(&c, 1));
    }
  });
  OptionsWorld world(app, {.idle_timeout = 600ms});
  Wire client = world.connect();
  client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  for (char c : std::string_view("0123456789")) {
    std::this_thread::sleep_for(100ms);
    client.write(std::string_view(&c, 1));
  }
  CHECK(has(client.read_head(), " 200 OK"));
  CHECK(client.read_exactly(10) == "0123456789");
}

TEST_CASE("headers_read_timeout of the app bounds the reading of a head") {
  FakeMachine app(answering(ok("hi")));
  OptionsWorld world(app, {.head_limit = 100ms});
  // The limit is taken from the routing when a client comes, which may be before the change is there.
  CHECK(eventually([&] {
    Wire client = world.connect();
    client.write("GET / HTTP/1.1\r\nHost: ");
    return client.readable_within(1000ms) && has(client.read_head(), " 408 ");
  }));
}

TEST_CASE("pristine and the rules for fields reach the client") {
  FakeMachine app(answering("HTTP/1.1 200 OK\r\nServer: mine\r\nX-Powered-By: x\r\nContent-Length: 0\r\n\r\n"));
  OptionsWorld world(app, {.pristine = true, .response_headers = {{"x-powered-by", {}}, {"x-frame-options", {"DENY"}}}});
  Wire client = world.connect();
  CHECK(ask(client, kGet) == "HTTP/1.1 200 OK\r\nServer: mine\r\ncontent-length: 0\r\nx-frame-options: DENY\r\n\r\n");
}

TEST_CASE("faithful errors have the platform's fields and no body") {
  FakeMachine app(answering(ok("hi")));
  Options own = quick_options();
  own.faithful_errors = true;
  ProxyWorld world({machine("gone", closed_endpoint())}, own);
  Wire client = world.connect();
  std::string head = ask(client, kGet);
  CHECK(head.starts_with("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nserver: Fly/flylocal\r\nvia: 1.1 fly.io\r\nfly-request-id: 01"));
  CHECK_FALSE(has(head, "flylocal-error"));
  CHECK_FALSE(has(head, "content-type"));
}

TEST_CASE("an error's body says what the bind report found and what to do; HEAD gets its fields alone") {
  Upstream hidden = machine("m1", closed_endpoint());
  hidden.finding = {.code = "loopback-only", .message = "listens on 127.0.0.1:8080 only", .fix = "listen on 0.0.0.0", .evidence = {"node (pid 7)"}};
  ProxyWorld world({hidden});
  Wire client = world.connect();
  std::string body;
  std::string head = ask(client, kGet, &body);
  CHECK(has(head, "flylocal-error: PR03\r\n"));
  for (const char* text : {"app: hello, internal port 8080\n", "Connection refused (PC01)\n", "found: listens on 127.0.0.1:8080 only\n",
                           "seen: node (pid 7)\n", "fix: listen on 0.0.0.0\n", "more: flylocal explain loopback-only\n"}) {
    CAPTURE(text);
    CHECK(has(body, text));
  }
  client.write("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + kGet);
  CHECK(has(client.read_head(), " 503 "));
  CHECK(has(client.read_head(), " 503 "));
}

TEST_CASE("early hints go ahead of the answer, and not to an HTTP/1.0 client") {
  FakeMachine app(answering("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write(kGet);
  CHECK(client.read_head() == "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
  CHECK(client.read_head().starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(client.read_exactly(2) == "hi");
  Wire old = world.connect();
  CHECK(ask(old, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("server-sent events arrive one by one") {
  Notes steps;
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    eventually([&] { return steps.all().size() == 1; });
    wire.write("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write(kGet);
  CHECK(has(client.read_head(), "Content-Type: text/event-stream\r\n"));
  CHECK(client.read_until("data: 1\n\n\r\n") == "9\r\ndata: 1\n\n\r\n");
  steps.add("first event seen");
  CHECK(client.read_until("0\r\n\r\n") == "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
}
