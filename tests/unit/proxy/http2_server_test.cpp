#include <catch2/catch.hpp>

#include "http2_peer.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kLarge = 3 * 1024 * 1024;

/// Large and without a period that a lost or doubled piece could hide behind.
std::string numbers(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  text.resize(size);
  return text;
}

/// Answers with the path, and closes nothing.
FakeMachine::Script answering_with_path() {
  return [](Wire& wire, int) {
    for (;;) {
      std::string head = wire.read_head();
      if (head.empty()) return;
      wire.write(ok(head.substr(4, head.find(" HTTP") - 4)));
    }
  };
}

std::string frame(std::uint32_t size, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  std::string_view payload) {
  std::string bytes;
  for (int shift : {16, 8, 0}) bytes += static_cast<char>(size >> shift);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(stream >> shift);
  return bytes.append(payload);
}

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

TEST_CASE("a client with prior knowledge of HTTP/2 is served over HTTP/1.1") {
  Notes heads;
  FakeMachine app(answering("HTTP/1.1 200 OK\r\nX-App: Kept\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi", &heads));
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto id = client.get("/a?b=c", {{"cookie", "a=1"}, {"x-mine", "yes"}, {"cookie", "b=2"}});
  REQUIRE(client.until_ended(id));
  auto& answer = client.messages[id];
  CHECK(answer.field(":status") == "200");
  CHECK(answer.field("x-app") == "Kept");
  CHECK(answer.field("content-length") == "2");
  CHECK(answer.field("keep-alive") == "");
  CHECK(answer.field("server") == "Fly/flylocal");
  CHECK(answer.body == "hi");
  std::string head = heads.all().at(0);
  CHECK(head.starts_with("GET /a?b=c HTTP/1.1\r\nHost: hello.localhost\r\n"));
  CHECK(has(head, "\r\ncookie: a=1; b=2\r\n"));
  CHECK(has(head, "\r\nx-mine: yes\r\n"));
  CHECK_FALSE(has(head, "ransfer-"));
  CHECK(client.settings[NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL] == 1);
  CHECK(client.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS] == 250);
}

TEST_CASE("the preface may come byte by byte, and what is no preface is refused") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  SECTION("slowly") {
    Wire client = world.connect();
    for (char c : kPreface) client.write({&c, 1});
    client.write(frame(0, NGHTTP2_SETTINGS, 0, 0, ""));
    CHECK(client.read_exactly(9)[3] == NGHTTP2_SETTINGS);
  }
  SECTION("broken off after the empty line") {
    Wire client = world.connect();
    client.write("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    client.read_to_end();
    CHECK(client.end_error() != EAGAIN);
  }
  SECTION("after a request of HTTP/1.1") {
    Wire client = world.connect();
    client.write(kGet + kPreface);
    CHECK(has(client.read_to_end(), "HTTP/1.1 505 "));
  }
}

TEST_CASE("streams of one connection are served at once, and many after each other") {
  FakeMachine app(answering_with_path());
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  for (int round = 0; round < 5; ++round) {
    std::map<std::int32_t, std::string> paths;
    for (int i = 0; i < 100; ++i) {
      std::string path = "/" + std::to_string(round) + "/" + std::to_string(i);
      paths[client.get(path)] = path;
    }
    for (const auto& [id, path] : paths) {
      REQUIRE(client.until_ended(id));
      CHECK(client.messages[id].body == path);
    }
  }
  CHECK(world.stats().requests == 500);
  CHECK(world.stats().clients == 1);
}

TEST_CASE("bodies larger than all windows pass in both directions at once") {
  FakeMachine app([](Wire& wire, int) {
    std::string head = wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    bool by_length = has(head, "Content-Length: ");
    std::size_t left = kLarge;
    while (left > 0) {
      std::string chunk;
      if (by_length) {
        chunk = wire.read_exactly(std::min<std::size_t>(left, 10000));
      } else {
        std::string size = wire.read_until("\r\n");
        chunk = wire.read_exactly(std::stoul(size, nullptr, 16));
        wire.read_exactly(2);
      }
      if (chunk.empty()) return;
      left -= chunk.size();
      wire.write(fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk));
    }
    wire.write("0\r\n\r\n");
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  std::string body = numbers(kLarge);
  bool by_length = GENERATE(false, true);
  FieldList more;
  if (by_length) more.emplace_back("content-length", std::to_string(kLarge));
  auto id = client.request(Http2Peer::get_fields("POST", "/", more), true);
  client.send(id, body, true);
  REQUIRE(client.until_ended(id));
  CHECK(client.messages[id].error == 0);
  CHECK(client.messages[id].body == body);
}

TEST_CASE("a client that does not read stops the machine, and does not stop its other streams") {
  std::atomic<std::size_t> written{0};
  std::atomic<bool> stopped{false};
  FakeMachine app([&](Wire& wire, int) {
    for (;;) {
      std::string head = wire.read_head();
      if (head.empty()) return;
      if (!has(head, "/endless")) {
        wire.write(ok("small"));
        continue;
      }
      wire.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
      std::string block(65536, 'x');
      for (;;) {
        pollfd room{.fd = wire.socket().get(), .events = POLLOUT, .revents = 0};
        if (::poll(&room, 1, 300) == 0) break;
        ssize_t sent = ::send(wire.socket().get(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) break;
        written += static_cast<std::size_t>(sent);
      }
      stopped = true;
      wire.read_to_end();
      return;
    }
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world, false);
  client.get("/endless");
  REQUIRE(client.until([&] { return client.messages[1].body.size() >= 60000; }));
  REQUIRE(eventually([&] { return stopped.load(); }));
  // What the kernel's buffers and one stream's window and buffer take.
  CHECK(written < 32 * 1024 * 1024);
  CHECK(client.messages[1].body.size() <= 65535);
}

TEST_CASE("what a machine does not read stops the client's stream at its window") {
  std::atomic<bool> may_read{false};
  std::atomic<std::size_t> read_bytes{0};
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    eventually([&] { return may_read.load(); });
    read_bytes = wire.read_exactly(40 * 1024 * 1024).size();
    wire.write(ok("thanks"));
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  std::string body(40 * 1024 * 1024, 'x');
  auto id = client.request(
      Http2Peer::get_fields("PUT", "/", {{"content-length", std::to_string(body.size())}}), true);
  client.send(id, body, true);
  // A second stream is served while the first one stands.
  auto other = client.get("/nobody", {{"x-second", "1"}});
  client.flush();
  may_read = true;
  REQUIRE(client.until_ended(id));
  CHECK(client.messages[id].body == "thanks");
  CHECK(read_bytes == body.size());
  client.reset(other, NGHTTP2_CANCEL);
}

TEST_CASE("trailers and interim answers pass in both directions") {
  Notes seen;
  FakeMachine app([&](Wire& wire, int) {
    seen.add(wire.read_head());
    wire.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    seen.add(wire.read_until("\r\n\r\n"));
    wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n5\r\nhello\r\n"
               "0\r\ngrpc-status: 7\r\nGrpc-Message: no\r\nContent-Type: text/evil\r\n\r\n");
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto id = client.request(Http2Peer::get_fields("POST", "/", {{"te", "trailers"}}), true);
  client.send(id, "abc", true, {{"x-checksum", "123"}, {"x-more", "4"}});
  REQUIRE(client.until_ended(id));
  auto& answer = client.messages[id];
  CHECK(answer.interim == std::vector<std::string>{"103"});
  CHECK(answer.body == "hello");
  CHECK(answer.trailer("grpc-status") == "7");
  CHECK(answer.trailer("grpc-message") == "no");
  CHECK(answer.trailer("content-type") == "");
  CHECK(answer.field("transfer-encoding") == "");
  CHECK(has(seen.all().at(0), "Transfer-Encoding: chunked\r\n"));
  CHECK(seen.all().at(1) == "3\r\nabc\r\n0\r\nx-checksum: 123\r\nx-more: 4\r\n\r\n");
}

TEST_CASE("answers without a body end their streams") {
  FakeMachine app([](Wire& wire, int) {
    for (;;) {
      std::string head = wire.read_head();
      if (head.empty()) return;
      if (head.starts_with("HEAD")) wire.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
      if (has(head, "/204")) wire.write("HTTP/1.1 204 No Content\r\n\r\n");
      if (has(head, "/304")) wire.write("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
      if (has(head, "/empty")) wire.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto head = client.request(Http2Peer::get_fields("HEAD", "/head"));
  REQUIRE(client.until_ended(head));
  CHECK(client.messages[head].field("content-length") == "1000");
  CHECK(client.messages[head].error == 0);
  for (std::string path : {"/204", "/304", "/empty"}) {
    auto id = client.get(path);
    REQUIRE(client.until_ended(id));
    CHECK(client.messages[id].error == 0);
    CHECK(client.messages[id].body == "");
  }
  CHECK(world.stats().aborted == 0);
}

TEST_CASE("the proxy's own answers come over HTTP/2 too") {
  ProxyWorld world({machine("m1", closed_endpoint())});
  Http2Client client(world);
  SECTION("no machine takes the connection") {
    auto id = client.get("/");
    REQUIRE(client.until_ended(id));
    CHECK(client.messages[id].field(":status") == "503");
    CHECK(has(client.messages[id].body, "PR03"));
  }
  SECTION("two hosts that differ") {
    auto id = client.get("/", {{"host", "other.localhost"}});
    REQUIRE(client.until_ended(id));
    CHECK(client.messages[id].field(":status") == "400");
  }
  SECTION("too many octets of fields") {
    FieldList many;
    for (int i = 0; i < 20; ++i) many.emplace_back("x-" + std::to_string(i), std::string(4000, 'a'));
    auto id = client.get("/", many);
    REQUIRE(client.until_ended(id));
    CHECK(client.messages[id].field(":status") == "431");
    // The connection is as good as before.
    auto next = client.get("/");
    REQUIRE(client.until_ended(next));
    CHECK(client.messages[next].field(":status") == "503");
  }
}

TEST_CASE("a stream that the client resets frees its machine; the others go on") {
  Notes ends;
  FakeMachine app([&](Wire& wire, int) {
    std::string head = wire.read_head();
    if (has(head, "/slow")) {
      wire.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      wire.read_to_end();
      ends.add("gone");
    } else {
      wire.write(ok("hi"));
      wire.read_to_end();
    }
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto slow = client.get("/slow");
  REQUIRE(client.until([&] { return client.messages[slow].body == "half"; }));
  client.reset(slow, NGHTTP2_CANCEL);
  auto quick = client.get("/quick");
  REQUIRE(client.until_ended(quick));
  CHECK(client.messages[quick].body == "hi");
  CHECK(eventually([&] { return ends.all().size() == 1; }));
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
}

TEST_CASE("a machine that breaks an answer off breaks one stream only") {
  FakeMachine app([](Wire& wire, int) {
    std::string head = wire.read_head();
    wire.write(has(head, "/broken") ? "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" : ok("hi"));
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto broken = client.get("/broken");
  auto good = client.get("/good");
  REQUIRE(client.until([&] { return client.messages[broken].closed; }));
  CHECK(client.messages[broken].error == NGHTTP2_INTERNAL_ERROR);
  CHECK_FALSE(client.messages[broken].ended);
  REQUIRE(client.until_ended(good));
  CHECK(client.messages[good].body == "hi");
}

TEST_CASE("an answer that comes before the request's end stops the request") {
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope");
    wire.end_writing();
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto id = client.request(Http2Peer::get_fields("POST", "/"), true);
  client.send(id, "begin", false);
  REQUIRE(client.until([&] { return client.messages[id].closed; }));
  CHECK(client.messages[id].field(":status") == "413");
  CHECK(client.messages[id].body == "nope");
  CHECK(client.messages[id].error == NGHTTP2_NO_ERROR);
}

TEST_CASE("shutdown says goodbye, and answers what was begun") {
  std::atomic<bool> asked{false};
  std::promise<void> go;
  auto gate = go.get_future();
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    asked = true;
    gate.wait();
    wire.write(ok("late"));
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  auto id = client.get("/");
  client.flush();
  REQUIRE(eventually([&] { return asked.load(); }));
  auto ending = std::async(std::launch::async, [&] { world.shutdown(5s); });
  REQUIRE(client.until([&] { return client.said_goodbye; }));
  CHECK(client.goodbye_error == NGHTTP2_NO_ERROR);
  go.set_value();
  REQUIRE(client.until_ended(id));
  CHECK(client.messages[id].body == "late");
  CHECK(client.ended());
  ending.wait();
}

TEST_CASE("a connection without streams is closed after its time, with a goodbye") {
  Options options = quick_options();
  options.keep_alive_limit = 50ms;
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())}, options);
  Http2Client client(world);
  auto id = client.get("/");
  REQUIRE(client.until_ended(id));
  CHECK(client.messages[id].body == "hi");
  CHECK(client.ended());
  CHECK(client.said_goodbye);
}

TEST_CASE("floods end the connection") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  // ":method: GET", ":scheme: http", ":path: /" and ":authority: a" in HPACK.
  const std::string block("\x82\x86\x84\x41\x01" "a", 6);
  std::string flood = kPreface + frame(0, NGHTTP2_SETTINGS, 0, 0, "");
  SECTION("of streams that are reset at once") {
    for (std::uint32_t i = 0; i < 2000; ++i) {
      flood += frame(static_cast<std::uint32_t>(block.size()), NGHTTP2_HEADERS, 5, 2 * i + 1, block);
      flood += frame(4, NGHTTP2_RST_STREAM, 0, 2 * i + 1, std::string("\0\0\0\x8", 4));
    }
  }
  SECTION("of CONTINUATION") {
    flood += frame(static_cast<std::uint32_t>(block.size()), NGHTTP2_HEADERS, 1, 1, block);
    for (int i = 0; i < 1000; ++i) flood += frame(0, NGHTTP2_CONTINUATION, 0, 1, "");
  }
  SECTION("of empty DATA") {
    flood += frame(6, NGHTTP2_HEADERS, 4, 1, std::string("\x83\x86\x84\x41\x01" "a", 6));
    for (int i = 0; i < 2000; ++i) flood += frame(0, NGHTTP2_DATA, 0, 1, "");
  }
  SECTION("of SETTINGS that nobody reads the answers of") {
    for (int i = 0; i < 20000; ++i) flood += frame(0, NGHTTP2_SETTINGS, 0, 0, "");
  }
  Wire client = world.connect();
  client.write(flood);
  client.read_to_end();
  CHECK(client.end_error() != EAGAIN);
  CHECK(eventually([&] { return world.stats().clients_now == 0; }));
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
}

TEST_CASE("malformed frames end the connection or their stream, never the proxy") {
  FakeMachine app(answering(ok("hi")));
  ProxyWorld world({machine("m1", app.endpoint())});
  auto broken = GENERATE_COPY(values<std::string>({
      frame(5, NGHTTP2_SETTINGS, 0, 0, "short"),                        // not a multiple of six
      frame(1 << 20, NGHTTP2_DATA, 0, 1, ""),                           // larger than allowed
      frame(4, NGHTTP2_HEADERS, 5, 1, "\xff\xff\xff\xff"),              // no HPACK
      frame(0, NGHTTP2_DATA, 0, 1, ""),                                 // of a stream that was never opened
      frame(4, NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\0\0", 4)),  // by nothing
      frame(1, NGHTTP2_HEADERS, 5, 2, "\x82"),                          // a client's streams have odd numbers
  }));
  Wire client = world.connect();
  client.write(kPreface + frame(0, NGHTTP2_SETTINGS, 0, 0, "") + broken);
  client.read_to_end();
  CHECK(client.end_error() != EAGAIN);
  Http2Client next(world);
  auto id = next.get("/");
  REQUIRE(next.until_ended(id));
  CHECK(next.messages[id].body == "hi");
}

TEST_CASE("what could become a second request in HTTP/1.1 does not pass") {
  Notes heads;
  FakeMachine app(answering(ok("hi"), &heads));
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  SECTION("line ends and blanks in fields") {
    auto bad = GENERATE(FieldList{{"x-a", "b\r\nX-Evil: 1"}}, FieldList{{"x-a\r\nevil", "1"}},
                        FieldList{{"transfer-encoding", "chunked"}}, FieldList{{"connection", "close"}},
                        FieldList{{"content-length", "1"}}, FieldList{{"te", "gzip"}});
    auto id = client.get("/", bad);
    client.until([&] { return client.messages[id].closed; });
    CHECK(client.messages[id].error == NGHTTP2_PROTOCOL_ERROR);
  }
  SECTION("blanks in the target") {
    auto id = client.get("/ HTTP/1.1\r\nHost: x\r\n\r\nGET /evil");
    client.until([&] { return client.messages[id].closed; });
    CHECK(client.messages[id].error == NGHTTP2_PROTOCOL_ERROR);
  }
  SECTION("bytes behind an upgrade that was not agreed to") {
    auto id = client.request({{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "hello.localhost"},
                              {":path", "/ws"}, {":protocol", "websocket"}},
                             true);
    client.send(id, "GET /evil HTTP/1.1\r\nHost: hello.localhost\r\n\r\n", true);
    REQUIRE(client.until_ended(id));
    CHECK(client.messages[id].field(":status") == "200");  // not a switch: the app's own answer
    CHECK(client.messages[id].body == "hi");
  }
  auto good = client.get("/good");
  REQUIRE(client.until_ended(good));
  for (const auto& head : heads.all()) CHECK_FALSE(has(head.substr(0, head.find("\r\n")), "evil"));
}

TEST_CASE("a WebSocket over HTTP/2 reaches the app as an upgrade (RFC 8441)") {
  Notes heads;
  FakeMachine app([&](Wire& wire, int) {
    heads.add(wire.read_head());
    wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
    for (;;) {
      std::string line = wire.read_until("\n");
      if (line.empty()) break;
      wire.write("echo " + line);
    }
    wire.write("bye");
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Http2Client client(world);
  // A client may ask for it only after it has seen the setting.
  REQUIRE(client.until([&] { return client.settings[NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL] == 1; }));
  auto id = client.request({{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "hello.localhost"},
                            {":path", "/ws"}, {":protocol", "websocket"}, {"sec-websocket-version", "13"},
                            {"sec-websocket-protocol", "chat"}},
                           true);
  client.send(id, "early\n", false);
  REQUIRE(client.until([&] { return client.messages[id].body == "echo early\n"; }));
  CHECK(client.messages[id].field(":status") == "200");
  CHECK(client.messages[id].field("sec-websocket-accept") == "");
  CHECK(client.messages[id].field("sec-websocket-protocol") == "chat");
  CHECK(client.messages[id].field("upgrade") == "");
  client.send(id, "later\n", false);
  REQUIRE(client.until([&] { return client.messages[id].body == "echo early\necho later\n"; }));
  client.send(id, "", true);
  REQUIRE(client.until([&] { return client.messages[id].closed; }));
  CHECK(client.messages[id].body == "echo early\necho later\nbye");
  CHECK(client.messages[id].error == 0);
  std::string head = heads.all().at(0);
  CHECK(head.starts_with("GET /ws HTTP/1.1\r\n"));
  CHECK(has(head, "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  std::size_t key = head.find("Sec-WebSocket-Key: ");
  REQUIRE(key != std::string::npos);
  CHECK(head.substr(key + 19, 26).ends_with("==\r\n"));
}
