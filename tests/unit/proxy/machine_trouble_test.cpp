#include <catch2/catch.hpp>

#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

struct Answered {
  std::string head;
  std::string body;
};

Answered ask(Wire& client, const std::string& request = kGet) {
  client.write(request);
  std::string head = client.read_head();
  std::size_t at = head.find("ontent-length: ");
  return {head, at == std::string::npos ? "" : client.read_exactly(std::stoul(head.substr(at + 15)))};
}

}  // namespace

TEST_CASE("a machine that refuses is passed over for one that does not") {
  FakeMachine app(answering(ok("hi")));
  auto refusing = machine("m1", closed_endpoint());
  ProxyWorld world({refusing, machine("m2", app.endpoint())});
  Wire client = world.connect();
  for (int i = 0; i < 20; ++i) CHECK(ask(client).body == "hi");
  CHECK(refusing.load->current == 0);
}

TEST_CASE("a machine at its soft limit gets no more while another one is below its own") {
  std::atomic<bool> go_on{false};
  auto slow = [&](Wire& wire, int) {
    wire.read_head();
    eventually([&] { return go_on.load(); });
    wire.write(ok("hi"));
  };
  FakeMachine one(slow);
  FakeMachine two(slow);
  ProxyWorld world({machine("m1", one.endpoint()), machine("m2", two.endpoint())});
  world.service().concurrency.soft_limit = 5;
  world.publish();
  std::vector<Wire> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(world.connect());
    clients.back().write(kGet);
    CHECK(eventually([&] { return one.accepted() + two.accepted() == i + 1; }));
  }
  CHECK(one.accepted() == 5);
  CHECK(two.accepted() == 5);
  go_on = true;
  for (Wire& client : clients) CHECK(has(client.read_head(), "200 OK"));
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
  CHECK(world.service().upstreams[0].load->total == 5);
}

TEST_CASE("a machine that is still starting is waited for") {
  std::optional<FakeMachine> app;
  auto endpoint = closed_endpoint();
  Options options = quick_options();
  options.connect_patience = 5s;
  ProxyWorld world({machine("m1", endpoint)}, options);
  Wire client = world.connect();
  client.write(kGet);
  CHECK(eventually([&] { return world.stats().upstream_failures >= 2; }));
  app.emplace(answering(ok("awake")), "127.0.0.1", endpoint.port());
  CHECK(has(client.read_head(), "200 OK"));
  CHECK(client.read_exactly(5) == "awake");
}

TEST_CASE("a machine that starts elsewhere while a request waits is found") {
  FakeMachine app(answering(ok("hi")));
  Options options = quick_options();
  options.connect_patience = 5s;
  ProxyWorld world({machine("m1", closed_endpoint())}, options);
  Wire client = world.connect();
  client.write(kGet);
  CHECK(eventually([&] { return world.stats().upstream_failures >= 1; }));
  world.service().upstreams = {machine("m2", app.endpoint())};
  world.publish();
  CHECK(has(client.read_head(), "200 OK"));
}

TEST_CASE("when no machine takes the connection, the 503 says which were tried and why it failed") {
  auto endpoint = closed_endpoint();
  ProxyWorld world({machine("m1", endpoint)});
  Wire client = world.connect();
  auto [head, body] = ask(client);
  CHECK(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(has(head, "\r\nserver: Fly/flylocal\r\nvia: 1.1 fly.io\r\nfly-request-id: 01"));
  CHECK(has(body, "503 Service Unavailable PR03"));
  CHECK(has(body, "app: hello, internal port 8080\n"));
  CHECK(has(body, fmt::format("tried: machine m1 at 127.0.0.1:{}: Connection refused (PC01)\n", endpoint.port())));
  CHECK(world.service().upstreams[0].load->failures >= 3);
  // The connection goes on.
  world.service().upstreams.clear();
  world.service().absent = {"m1 (ams) is stopped"};
  world.publish();
  auto none = ask(client);
  CHECK(none.head.starts_with("HTTP/1.1 503 "));
  CHECK(has(none.body, "PR04"));
  CHECK(has(none.body, "not available: m1 (ams) is stopped\n"));
}

TEST_CASE("a known cause is not waited for, and is told in the format asked for") {
  auto refusing = machine("m1", closed_endpoint());
  refusing.finding = {.code = "loopback-only", .message = "listens on 127.0.0.1 only"};
  Options options = quick_options();
  options.connect_patience = 60s;
  ProxyWorld world({refusing}, options);
  Wire client = world.connect();
  auto [head, body] = ask(client, "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
  CHECK(has(head, "content-type: application/json"));
  CHECK(has(body, R"("error":"Connection refused","code":"PC01","finding":{"code":"loopback-only","message":"listens on 127.0.0.1 only",)"));
  CHECK(world.stats().upstream_failures == 1);
  auto html = ask(client, "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*\r\n\r\n");
  CHECK(html.body.starts_with("<!doctype html>"));
  client.write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
  CHECK(has(client.read_head(), "503"));
  CHECK(client.read_head().starts_with("HTTP/1.1 503 "));
}

TEST_CASE("a pooled connection that died is replaced for requests that may be repeated") {
  FakeMachine app([](Wire& wire, int connection) {
    wire.read_head();
    wire.write(ok("hi"));
    if (connection > 0) return;
    wire.read_head();
    wire.reset();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  CHECK(ask(client).body == "hi");
  CHECK(ask(client).body == "hi");
  CHECK(app.accepted() == 2);
  CHECK(world.stats().retries == 1);
}

TEST_CASE("a request that may not be repeated is not sent twice") {
  Notes heads;
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    wire.write(ok("hi"));
    heads.add(wire.read_head());
    wire.reset();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  CHECK(ask(client).body == "hi");
  auto [head, body] = ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 502 "));
  CHECK(has(body, "Machine m1 took the request but reset the connection before its answer was complete."));
  CHECK(heads.all().size() == 1);
  CHECK(app.accepted() == 1);
}

TEST_CASE("a pooled connection that the machine closed in time is never used") {
  Notes ends;
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    wire.write(ok("hi"));
    wire.close();
    ends.add("closed");
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").body == "hi");
    CHECK(eventually([&] { return ends.all().size() == i + 1; }));
  }
  CHECK(world.stats().upstream_failures == 0);
}

TEST_CASE("a machine that ends before its answer does is a 502, and half an answer ends the connection") {
  FakeMachine silent([](Wire& wire, int) { wire.read_head(); });
  {
    ProxyWorld world({machine("m1", silent.endpoint())});
    Wire client = world.connect();
    auto [head, body] = ask(client);
    CHECK(head.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    CHECK(has(body, "PU02"));
    CHECK(has(body, "Machine m1 took the request but closed the connection before its answer was complete."));
  }
  for (std::string framing : {"Content-Length: 10", "Transfer-Encoding: chunked"}) {
    CAPTURE(framing);
    FakeMachine dying([&](Wire& wire, int) {
      wire.read_head();
      wire.write("HTTP/1.1 200 OK\r\n" + framing + "\r\n\r\n5\r\nhe");
      std::this_thread::sleep_for(5ms);
      wire.reset();
    });
    ProxyWorld world({machine("m1", dying.endpoint())});
    Wire client = world.connect();
    client.write(kGet);
    CHECK(has(client.read_head(), "200 OK"));
    CHECK(has("5\r\nhe", client.read_to_end()));
    CHECK(client.end_error() != EAGAIN);
    CHECK(world.stats().upstream_failures == 1);
  }
}

TEST_CASE("a chunked answer that breaks half-way does not look complete to an HTTP/1.0 client") {
  std::atomic<bool> go_on{false};
  FakeMachine dying([&](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    eventually([&] { return go_on.load(); });
  });
  ProxyWorld world({machine("m1", dying.endpoint())});
  Wire client = world.connect();
  client.write("GET / HTTP/1.0\r\n\r\n");
  client.read_head();
  CHECK(client.read_exactly(5) == "hello");
  go_on = true;
  CHECK(client.at_end());
  CHECK(client.end_error() == ECONNRESET);
}

TEST_CASE("an answer is read although the machine stopped reading the request") {
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    std::this_thread::sleep_for(20ms);
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  std::string block(1 << 20, 'x');
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
  client.write(block);
  CHECK(has(client.read_head(), "403 Forbidden"));
  CHECK(client.read_exactly(2) == "no");
}

TEST_CASE("shutdown lets a request in progress end, and breaks it off after its grace") {
  std::atomic<bool> go_on{false};
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    eventually([&] { return go_on.load(); });
    wire.write(ok("hi"));
  });
  SECTION("in time") {
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire idle = world.connect();
    Wire client = world.connect();
    client.write(kGet);
    CHECK(eventually([&] { return app.accepted() == 1; }));
    std::thread ending([&] { world.shutdown(5s); });
    CHECK(idle.at_end());
    go_on = true;
    std::string head = client.read_head();
    CHECK(has(head, "200 OK"));
    CHECK(has(head, "connection: close"));
    ending.join();
  }
  SECTION("too late") {
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write(kGet);
    CHECK(eventually([&] { return app.accepted() == 1; }));
    world.shutdown(20ms);
    CHECK(client.at_end());
    go_on = true;
  }
}
