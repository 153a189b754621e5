#include <fcntl.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

/// Reads an answer with a Content-Length.
std::string read_answer(Wire& client, std::string* head = nullptr) {
  std::string text = client.read_head();
  if (head) *head = text;
  std::size_t at = text.find("ontent-length: ");
  return at == std::string::npos ? "" : client.read_exactly(std::stoul(text.substr(at + 15)));
}

/// A machine that reads one request body in chunks or by length up to `end` and answers with what it got.
FakeMachine::Script echo_body(std::string end) {
  return [end](Wire& wire, int) {
    std::string head = wire.read_head();
    if (has(head, "Expect: 100-continue")) wire.write("HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n");
    wire.write(ok(wire.read_until(end)));
  };
}

}  // namespace

TEST_CASE("a request goes to the machine from its own source address, and the answer comes back") {
  Notes heads;
  std::string source;
  FakeMachine app([&](Wire& wire, int) {
    source = wire.peer_ip();
    answering(ok("hi"), &heads)(wire, 0);
  });
  {
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write(kGet);
    std::string head;
    CHECK(read_answer(client, &head) == "hi");
    CHECK(
        head.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: Fly/flylocal\r\nvia: 1.1 fly.io\r\n"
                         "fly-request-id: 01"));
    CHECK(eventually([&] { return heads.all().size() == 1; }));
    CHECK(heads.all()[0].starts_with(
        "GET / HTTP/1.1\r\nHost: hello.localhost\r\nFly-Client-IP: 127.0.0.1\r\n"));
    CHECK(world.stats().requests == 1);
    CHECK(eventually([&] { return world.stats().answers[2] == 1; }));
  }
  CHECK(source == "127.0.0.9");
}

TEST_CASE("requests of one connection share a machine's connection, also when they are sent all at once") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  std::string pipeline;
  for (int i = 0; i < 50; ++i) pipeline += kGet;
  client.write("\r\n" + pipeline);
  for (int i = 0; i < 50; ++i) CHECK(read_answer(client) == "hi");
  CHECK(app.accepted() == 1);
  CHECK(world.stats().upstream_reuses == 49);
}

TEST_CASE("a pooled connection is dropped after its time, and one per request is made for type connections") {
  Notes ends;
  FakeMachine app([&](Wire& wire, int connection) {
    answering(ok("hi"))(wire, connection);
    ends.add("closed");
  });
  SECTION("requests") {
    Options options = quick_options();
    options.upstream_idle_limit = 50ms;
    ProxyWorld world({machine("m1", app.endpoint())}, options);
    Wire client = world.connect();
    client.write(kGet);
    CHECK(read_answer(client) == "hi");
    CHECK(eventually([&] { return ends.all().size() == 1; }));
    client.write(kGet);
    CHECK(read_answer(client) == "hi");
    CHECK(app.accepted() == 2);
  }
  SECTION("connections") {
    ProxyWorld world({machine("m1", app.endpoint())}, quick_options(), {.http = true},
                     ConcurrencyType::connections);
    Wire client = world.connect();
    for (int i = 0; i < 3; ++i) {
      client.write(kGet);
      CHECK(read_answer(client) == "hi");
    }
    CHECK(app.accepted() == 3);
  }
}

TEST_CASE("a pooled connection to a machine that left the snapshot is dropped") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write(kGet);
  CHECK(read_answer(client) == "hi");
  CHECK(eventually([&] { return world.stats().upstream_idle == 1; }));
  world.service().upstreams.clear();
  world.publish();
  CHECK(eventually([&] { return world.stats().upstream_idle == 0; }));
}

TEST_CASE("bodies of requests are passed on by length and in chunks with trailers") {
  SECTION("by length") {
    FakeMachine app(echo_body("end"));
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234");
    client.write("567end");
    CHECK(read_answer(client) == "1234567end");
  }
  SECTION("in chunks") {
    FakeMachine app(echo_body("0\r\nX-Sum: 1\r\n\r\n"));
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=1\r\n12");
    client.write("34\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nFly-Region: x\r\n\r\n");
    CHECK(read_answer(client) == "4\r\n1234\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
  }
}

TEST_CASE("100 Continue and other interim answers reach the client before the body is sent") {
  FakeMachine app(echo_body("end"));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  CHECK(client.read_head() == "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n");
  client.write("end");
  CHECK(read_answer(client) == "end");
}

TEST_CASE("answers in chunks keep chunks and trailers; an HTTP/1.0 client gets plain bytes") {
  std::string body = "3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n";
  FakeMachine app(answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write(kGet);
  CHECK(has(client.read_head(), "\r\ntransfer-encoding: chunked\r\n"));
  CHECK(client.read_until("\r\n\r\n") == "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n");
  client.write(kGet);
  CHECK(has(client.read_head(), "200 OK"));
  Wire old = world.connect();
  old.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  std::string head = old.read_head();
  CHECK(has(head, "connection: close"));
  CHECK_FALSE(has(head, "transfer-encoding"));
  CHECK(old.read_to_end() == "abcde");
}

TEST_CASE("an HTTP/1.0 client that asks for it keeps its connection") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  for (int i = 0; i < 2; ++i) {
    client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    std::string head;
    CHECK(read_answer(client, &head) == "hi");
    CHECK(has(head, "connection: keep-alive"));
  }
  client.write("GET / HTTP/1.0\r\n\r\n");
  CHECK(read_answer(client) == "hi");
  CHECK(client.at_end());
}

TEST_CASE("an answer that lasts until the machine closes becomes chunks, and the client's connection stays") {
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\n\r\npart one, ");
    wire.write("part two");
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  for (int i = 0; i < 2; ++i) {
    client.write(kGet);
    CHECK(has(client.read_head(), "transfer-encoding: chunked"));
    std::string text;
    for (;;) {
      std::size_t size = std::stoul(client.read_until("\r\n"), nullptr, 16);
      text += client.read_exactly(size);
      CHECK(client.read_exactly(2) == "\r\n");
      if (size == 0) break;
    }
    CHECK(text == "part one, part two");
  }
  Wire old = world.connect();
  old.write("GET / HTTP/1.0\r\n\r\n");
  old.read_head();
  CHECK(old.read_to_end() == "part one, part two");
}

TEST_CASE("answers to HEAD, 204 and 304 have no body, whatever their fields say") {
  for (std::string status : {"204 No Content", "304 Not Modified", "200 OK"}) {
    CAPTURE(status);
    bool is_head = status == "200 OK";
    FakeMachine app(answering("HTTP/1.1 " + status + "\r\nContent-Length: 5\r\n\r\n"));
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    for (int i = 0; i < 2; ++i) {
      client.write(is_head ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" : kGet);
      std::string head = client.read_head();
      CHECK(has(head, status));
      CHECK(has(head, "content-length: 5") == (status[0] != '2' || is_head));
    }
    CHECK(app.accepted() == 1);
  }
}

TEST_CASE("an answer that comes before the request's end is passed on, and the connection then closes") {
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nsome of it");
  std::string head;
  CHECK(read_answer(client, &head) == "no!");
  CHECK(has(head, "connection: close"));
  CHECK(client.at_end());
  CHECK(client.end_error() == 0);
}

TEST_CASE("a streaming answer and its request's body move at the same time") {
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    for (int i = 0; i < 3; ++i) wire.write(wire.read_exactly(2));
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
  CHECK(has(client.read_head(), "200 OK"));
  for (std::string part : {"ab", "cd", "ef"}) {
    client.write(part);
    CHECK(client.read_exactly(2) == part);
  }
}

TEST_CASE("an upgraded connection is passed on both ways, with half-close") {
  FakeMachine app([](Wire& wire, int) {
    std::string head = wire.read_head();
    if (!has(head, "Connection: Upgrade\r\nUpgrade: echo\r\n")) return;
    wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");
    wire.write(wire.read_exactly(4));
    wire.write("after end: " + wire.read_to_end());
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping");
  std::string head = client.read_head();
  CHECK(head.starts_with("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n"));
  CHECK(client.read_exactly(9) == "helloping");
  client.write("last");
  client.end_writing();
  CHECK(client.read_to_end() == "after end: last");
  CHECK(client.end_error() == 0);
  CHECK(eventually([&] { return world.stats().clients_now == 0; }));
}

TEST_CASE("a client that goes away takes its request along") {
  Notes ends;
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    ends.add(wire.at_end() ? "ended" : "went on");
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  for (bool by_reset : {false, true}) {
    Wire client = world.connect();
    client.write(kGet);
    std::size_t before = ends.all().size();
    CHECK(eventually([&] { return app.accepted() == static_cast<int>(before) + 1; }));
    by_reset ? client.reset() : client.close();
    CHECK(eventually([&] { return ends.all().size() == before + 1; }));
    CHECK(ends.all().back() == "ended");
  }
  CHECK(eventually([&] { return world.stats().aborted == 2; }));
  CHECK(world.service().upstreams[0].load->current == 0);
}

TEST_CASE("a client that does not read stops the machine's sending") {
  constexpr std::size_t kBody = 100 * 1024 * 1024;
  std::atomic<std::size_t> sent{0};
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n");
    std::string block(65536, 'x');
    while (sent < kBody && wire.write(block)) sent += block.size();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write(kGet);
  CHECK(has(client.read_head(), "200 OK"));
  // The sender stands still once the kernel's queues and the proxy's one buffer are full.
  std::size_t before = 1;
  CHECK(eventually([&] {
    std::size_t now = sent;
    std::this_thread::sleep_for(50ms);
    return now > 0 && std::exchange(before, now) == now;
  }));
  CHECK(sent < 20 * 1024 * 1024);
  std::size_t received = 0;
  while (received < kBody) {
    std::string part = client.read_exactly(1024 * 1024);
    if (part.empty()) break;
    received += part.size();
  }
  CHECK(received == kBody);
}

TEST_CASE("a machine that does not read stops the client's sending") {
  constexpr std::size_t kBody = 100 * 1024 * 1024;
  std::atomic<bool> go_on{false};
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    eventually([&] { return go_on.load(); });
    for (std::size_t left = kBody; left > 0;) {
      std::string part = wire.read_exactly(std::min<std::size_t>(left, 1024 * 1024));
      if (part.empty()) return;
      left -= part.size();
    }
    wire.write(ok("all of it"));
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  std::atomic<std::size_t> sent{0};
  std::thread sender([&] {
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n");
    std::string block(65536, 'x');
    while (sent < kBody && client.write(block)) sent += block.size();
  });
  std::size_t before = 1;
  CHECK(eventually([&] {
    std::size_t now = sent;
    std::this_thread::sleep_for(50ms);
    return now > 0 && std::exchange(before, now) == now;
  }));
  CHECK(sent < 20 * 1024 * 1024);
  go_on = true;
  sender.join();
  CHECK(read_answer(client) == "all of it");
}

TEST_CASE("an idle client is let go after its time, and one with half a head is told so") {
  FakeMachine app(answering(ok("hi")));
  Options options = quick_options();
  options.keep_alive_limit = 50ms;
  options.head_limit = 50ms;
  ProxyWorld world({machine("m1", app.endpoint())}, options);
  Wire silent = world.connect();
  CHECK(silent.at_end());
  CHECK(silent.end_error() == 0);
  Wire slow = world.connect();
  slow.write("GET / HT");
  CHECK(slow.read_head().starts_with("HTTP/1.1 408 "));
  Wire served = world.connect();
  served.write(kGet);
  CHECK(read_answer(served) == "hi");
  CHECK(served.at_end());
}

TEST_CASE("more clients than allowed wait until there is room") {
  FakeMachine app(answering(ok("hi")));
  Options options = quick_options();
  options.max_clients = 1;
  ProxyWorld world({machine("m1", app.endpoint())}, options);
  Wire first = world.connect();
  first.write(kGet);
  CHECK(read_answer(first) == "hi");
  Wire second = world.connect();
  second.write(kGet);
  CHECK_FALSE(second.readable_within(50ms));
  first.close();
  CHECK(read_answer(second) == "hi");
}

TEST_CASE("a client that comes while no file can be opened is served once one can") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire first = world.connect();
  first.write(kGet);
  CHECK(read_answer(first) == "hi");
  Wire second = Wire::unconnected();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  UniqueFd lowest_free(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  rlimit none_free{.rlim_cur = static_cast<rlim_t>(lowest_free.get()), .rlim_max = before.rlim_max};
  lowest_free.reset();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none_free) == 0);
  second.connect("127.0.0.1", world.port());
  second.write(kGet);
  bool served = second.readable_within(150ms);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(served);
  CHECK(read_answer(second) == "hi");
}

TEST_CASE("each answered request is told to the observer") {
  FakeMachine app(answering(ok("hi")));
  Notes records;
  Options options = quick_options();
  options.on_request = [&](const RequestRecord& record) {
    bool in_order = record.connect <= record.first_byte && record.first_byte <= record.total;
    records.add(fmt::format("{} {} {} {} {} {} {} {}", record.app, record.machine, record.method, record.host,
                            record.target, record.status, record.reused, in_order));
  };
  ProxyWorld world({machine("m1", app.endpoint())}, options);
  Wire client = world.connect();
  for (std::string target : {"/a", "/b?c"}) {
    client.write("GET " + target + " HTTP/1.1\r\nHost: h:1\r\n\r\n");
    CHECK(read_answer(client) == "hi");
  }
  CHECK(eventually([&] { return records.all().size() == 2; }));
  CHECK(records.all()[0] == "hello m1 GET h:1 /a 200 false true");
  CHECK(records.all()[1] == "hello m1 GET h:1 /b?c 200 true true");
}

TEST_CASE("host names lead to their apps, and an unknown one is told which there are") {
  FakeMachine one(answering(ok("one")));
  FakeMachine two(answering(ok("two")));
  ProxyWorld world({machine("m1", one.endpoint())});
  Service other = world.service();
  other.upstreams = {machine("m2", two.endpoint())};
  world.snapshot().services.push_back(other);
  auto& port = world.snapshot().ports[0];
  port.default_backend.reset();
  port.backends = {{.service = 0}, {.service = 1}};
  port.routes = {{"one.localhost", 0}, {"two.localhost", 1}};
  world.publish();
  Wire client = world.connect();
  client.write("GET / HTTP/1.1\r\nHost: TWO.localhost:8080\r\n\r\n");
  CHECK(read_answer(client) == "two");
  client.write("GET / HTTP/1.1\r\nHost: one.localhost\r\n\r\n");
  CHECK(read_answer(client) == "one");
  client.write("GET / HTTP/1.1\r\nHost: three.localhost\r\n\r\n");
  std::string head;
  std::string body = read_answer(client, &head);
  CHECK(head.starts_with("HTTP/1.1 404 "));
  CHECK(has(body, "known host: one.localhost\nknown host: two.localhost\n"));
}
