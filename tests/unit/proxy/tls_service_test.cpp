#include <catch2/catch.hpp>
#include <set>

#include "../temporary_directory.hpp"
#include "tls_wire.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;
using flylocal::tests::TemporaryDirectory;

namespace {

/// A proxy with an authority of its own, whose service "hello" has two names; other services can be added.
struct TlsWorld {
  explicit TlsWorld(std::vector<Upstream> machines, Handlers handlers = {.http = true, .tls = true},
                    std::function<void(RoutingSnapshot&)> change = {}, std::chrono::milliseconds handshake_limit = 10s,
                    std::size_t workers = 1)
      : authority(tls::CertificateAuthority::open(directory.path()).value()),
        world(std::move(machines), options(handshake_limit), handlers, ConcurrencyType::requests, workers),
        client(authority->certificate_path()) {
    PublishedPort& port = world.snapshot().ports[0];
    port.external_port = 443;
    for (const char* name : {"hello.localhost", "hello.fly.dev"}) port.routes.emplace(name, 0);
    if (change) change(world.snapshot());
    world.publish();
  }
  TlsWire connect(const TlsOffer& offer = {}) { return TlsWire(client, world.port(), offer); }

  Options options(std::chrono::milliseconds handshake_limit) const {
    Options all = quick_options();
    all.tls = authority;
    all.tls_handshake_limit = handshake_limit;
    return all;
  }

  TemporaryDirectory directory;
  std::shared_ptr<const tls::CertificateAuthority> authority;
  ProxyWorld world;
  TlsClient client;
};

/// Adds a second app, which is no default.
void add_second(RoutingSnapshot& snapshot, const Upstream& machine, const TlsOptions& tls = {}) {
  Service service;
  service.app = "second";
  service.upstreams.push_back(machine);
  snapshot.services.push_back(std::move(service));
  snapshot.ports[0].backends.push_back({.service = 1, .tls = tls});
  snapshot.ports[0].routes.emplace("second.localhost", 1);
}

FakeMachine::Script echo() {
  return [](Wire& wire, int) {
    std::string part;
    while (!(part = wire.read_exactly(1)).empty()) {
      if (!wire.write(part)) return;
    }
  };
}

std::string get(TlsWire& wire, std::string_view host = "hello.localhost") {
  wire.write("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
  return wire.read_until("\r\n\r\n");
}

}  // namespace

TEST_CASE("requests come through TLS 1.2 and 1.3 with a certificate for the name, and only with the platform's ciphers") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld world({machine("m1", app.endpoint())});
  struct Case {
    int version;
    const char* name;
    std::set<std::string> ciphers;
  };
  const Case cases[] = {
      {TLS1_2_VERSION, "TLSv1.2", {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}},
      {TLS1_3_VERSION, "TLSv1.3", {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}}};
  for (const Case& c : cases) {
    for (const char* name : {"hello.localhost", "hello.fly.dev", "Hello.LOCALHOST"}) {
      INFO(c.name << " " << name);
      TlsWire wire = world.connect({.server_name = name, .version = c.version});
      INFO(wire.failure());
      REQUIRE(wire.connected());
      CHECK(wire.version() == c.name);
      CHECK(c.ciphers.contains(wire.cipher()));
      for (int i = 0; i < 3; ++i) {
        CHECK(get(wire).starts_with("HTTP/1.1 200"));
        CHECK(wire.read_exactly(2) == "hi");
      }
    }
  }
  SSL_CTX_set_cipher_list(world.client.context(), "ECDHE-ECDSA-AES128-SHA256:AES128-SHA");
  CHECK_FALSE(world.connect({.version = TLS1_2_VERSION}).connected());
  CHECK_FALSE(world.connect({.version = TLS1_1_VERSION}).connected());
  CHECK(world.world.stats().tls_handshakes == 6);
  CHECK(eventually([&] { return world.world.stats().tls_failures == 2; }));
}

TEST_CASE("the server name decides which app gets raw bytes through TLS") {
  FakeMachine first([](Wire& wire, int) { wire.write("first"); }), second([](Wire& wire, int) { wire.write("second"); });
  TlsWorld world({machine("m1", first.endpoint())}, {.tls = true},
                 [&](RoutingSnapshot& snapshot) { add_second(snapshot, machine("m2", second.endpoint())); });
  TlsWire to_second = world.connect({.server_name = "second.localhost"});
  CHECK(to_second.certificate_name() == "second.localhost");
  CHECK(to_second.read_to_end() == "second");
  CHECK(to_second.ended_properly());
  TlsWire to_first = world.connect({.server_name = "hello.fly.dev"});
  CHECK(to_first.certificate_name() == "hello.fly.dev");
  CHECK(to_first.read_to_end() == "first");
  // An address, localhost and no name at all are for the default.
  for (const char* name : {"", "localhost", "127.0.0.1"}) {
    INFO(name);
    TlsWire by_default = world.connect({.server_name = name, .verifies = std::string_view(name) != "127.0.0.1"});
    CHECK(by_default.certificate_name() == "hello.localhost");
    CHECK(by_default.read_to_end() == "first");
  }
}

TEST_CASE("a name that nobody has gets no certificate, or one that signs itself where the port says so") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld strict({machine("m1", app.endpoint())});
  TlsWire refused = strict.connect({.server_name = "sub.hello.localhost"});
  CHECK_FALSE(refused.connected());
  CHECK(has(refused.failure(), "unrecognized name"));
  TlsWorld lax({machine("m1", app.endpoint())}, {.http = true, .tls = true},
               [](RoutingSnapshot& snapshot) { snapshot.ports[0].backends[0].tls.default_self_signed = true; });
  const TlsOffer unknown{.server_name = "any.example"};
  CHECK(has(lax.connect(unknown).failure(), "certificate verify failed"));
  TlsWire trusting = lax.connect({.server_name = "any.example", .verifies = false});
  CHECK(trusting.certificate_name() == "any.example");
  CHECK(get(trusting, "any.example").starts_with("HTTP/1.1 200"));
  CHECK(lax.connect().connected());  // the known names still have theirs
}

TEST_CASE("a port without a default turns away who names nobody, and one without an authority everybody") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld world({machine("m1", app.endpoint())}, {.http = true, .tls = true},
                 [](RoutingSnapshot& snapshot) { snapshot.ports[0].default_backend.reset(); });
  CHECK_FALSE(world.connect({.server_name = ""}).connected());
  CHECK(world.connect().connected());
  ProxyWorld without({machine("m1", app.endpoint())}, quick_options(), {.http = true, .tls = true});
  Wire client = without.connect();
  CHECK(client.at_end());
}

TEST_CASE("versions and ALPN protocols are those of the app that the client names") {
  FakeMachine app(echo());
  TlsWorld world({machine("m1", app.endpoint())}, {.tls = true}, [&](RoutingSnapshot& snapshot) {
    snapshot.ports[0].backends[0].tls = {.alpn = {"mqtt", "other"}, .tls12 = false};
    add_second(snapshot, machine("m2", app.endpoint()), {.tls13 = false});
  });
  CHECK_FALSE(world.connect({.version = TLS1_2_VERSION}).connected());
  CHECK_FALSE(world.connect({.server_name = "second.localhost", .version = TLS1_3_VERSION}).connected());
  CHECK(world.connect({.server_name = "second.localhost"}).version() == "TLSv1.2");
  CHECK(world.connect({.alpn = "other"}).protocol() == "other");
  CHECK(world.connect().protocol().empty());
  CHECK(has(world.connect({.alpn = "http/1.1"}).failure(), "no application protocol"));
  CHECK(world.connect({.server_name = "second.localhost", .alpn = "mqtt"}).protocol().empty());
  TlsWorld web({machine("m1", app.endpoint())});
  CHECK(web.connect({.alpn = "http/1.1"}).protocol() == "http/1.1");
}

TEST_CASE("sessions are resumed by tickets, whichever worker has the client") {
  FakeMachine app(answering(ok("hi")));
  const std::size_t workers = GENERATE(1, 2);
  TlsWorld world({machine("m1", app.endpoint())}, {.http = true, .tls = true}, {}, 10s, workers);
  static thread_local SSL_SESSION* latest = nullptr;
  SSL_CTX_sess_set_new_cb(world.client.context(), [](SSL*, SSL_SESSION* session) {
    if (latest) SSL_SESSION_free(latest);
    latest = session;
    return 1;
  });
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsWire first = world.connect({.version = version});
    CHECK_FALSE(first.resumed());
    get(first);  // in TLS 1.3 the ticket comes behind the handshake
    REQUIRE(latest != nullptr);
    TlsWire second = world.connect({.version = version, .session = latest});
    CHECK(second.resumed());
    CHECK(get(second).starts_with("HTTP/1.1 200"));
    SSL_SESSION_free(latest);
    latest = nullptr;
  }
  SSL_CTX_sess_set_new_cb(world.client.context(), nullptr);
  CHECK(world.world.stats().tls_resumed == 2);
}

TEST_CASE("the head and body of a small answer are one TLS record") {
  FakeMachine app(answering(ok("a small body")));
  TlsWorld world({machine("m1", app.endpoint())});
  TlsWire wire = world.connect({.version = TLS1_2_VERSION});
  const int before = wire.records();
  get(wire);
  CHECK(wire.read_exactly(12) == "a small body");
  CHECK(wire.records() == before + 1);
}

TEST_CASE("megabytes go both ways at once through TLS, past slow readers") {
  constexpr std::size_t kSize = 8 * 1024 * 1024;
  FakeMachine app([](Wire& wire, int) {
    std::string all = wire.read_exactly(kSize);
    wire.write(all);
  });
  TlsWorld world({machine("m1", app.endpoint())}, {.tls = true});
  std::string sent(kSize, ' ');
  for (std::size_t i = 0; i < kSize; ++i) sent[i] = static_cast<char>(i * 31 + i / 255);
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsWire wire = world.connect({.version = version});
    REQUIRE(wire.write(sent));
    // The answer fills every buffer on the way before it is read.
    CHECK(wire.read_exactly(kSize) == sent);
    CHECK(wire.read_to_end().empty());
    CHECK(wire.ended_properly());
  }
}

TEST_CASE("the client's end of writing is passed on, and the answer behind it comes") {
  FakeMachine app([](Wire& wire, int) { wire.write("you said " + wire.read_to_end()); });
  TlsWorld world({machine("m1", app.endpoint())}, {.tls = true});
  TlsWire wire = world.connect();
  wire.write("hello");
  wire.end_writing();
  CHECK(wire.read_to_end() == "you said hello");
  CHECK(eventually([&] { return world.world.stats().clients_now == 0; }));
}

TEST_CASE("an app that breaks off is no proper end of the TLS stream") {
  FakeMachine app([](Wire& wire, int) {
    wire.write("half");
    wire.read_exactly(1);
    wire.reset();
  });
  TlsWorld world({machine("m1", app.endpoint())}, {.tls = true});
  TlsWire wire = world.connect();
  CHECK(wire.read_exactly(4) == "half");
  wire.write("x");
  CHECK(wire.read_to_end().empty());
  CHECK_FALSE(wire.ended_properly());
}

TEST_CASE("plain HTTP on a TLS port is answered with the URL to use, and what is neither with a reset") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld world({machine("m1", app.endpoint())});
  Wire http = world.world.connect();
  http.write("OPTIONS /x HTTP/1.1\r\nHost: hello.localhost:8443\r\n");
  http.write("\r\n");
  const std::string answer = http.read_to_end();
  CHECK(answer.starts_with("HTTP/1.1 400 "));
  CHECK(has(answer, "https://hello.localhost:8443/x"));
  Wire other = world.world.connect();
  other.write("SSH-2.0-OpenSSH_9\r\n");
  CHECK(other.at_end());
  CHECK(other.end_error() == ECONNRESET);
  CHECK(eventually([&] { return world.world.stats().clients_now == 0; }));
  CHECK(app.accepted() == 0);
}

TEST_CASE("a handshake has a time limit, whether nothing comes or half of it") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld world({machine("m1", app.endpoint())}, {.http = true, .tls = true}, {}, 200ms);
  Wire silent = world.world.connect(), half = world.world.connect();
  half.write(std::string_view("\x16\x03\x01\x01\x00\x01\x00\x00", 8));
  CHECK(silent.at_end());
  CHECK(silent.end_error() != EAGAIN);
  CHECK(half.at_end());
  CHECK(half.end_error() != EAGAIN);
  CHECK(eventually([&] { return world.world.stats().clients_now == 0; }));
}

TEST_CASE("garbage instead of a hello ends the handshake and nothing else") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld world({machine("m1", app.endpoint())});
  Wire client = world.world.connect();
  client.write(std::string_view("\x16\x03\x01\x00\x05garbage", 12));
  client.read_to_end();
  CHECK(client.end_error() != EAGAIN);
  CHECK(eventually([&] { return world.world.stats().tls_failures == 1; }));
  TlsWire good = world.connect();
  CHECK(get(good).starts_with("HTTP/1.1 200"));
}

TEST_CASE("an idle TLS client is closed properly when the proxy ends, one before its handshake at once") {
  FakeMachine app(answering(ok("hi")));
  TlsWorld world({machine("m1", app.endpoint())});
  TlsWire idle = world.connect();
  get(idle);
  idle.read_exactly(2);
  Wire waiting = world.world.connect();
  REQUIRE(eventually([&] { return world.world.stats().clients_now == 2; }));
  world.world.shutdown(kPatience);
  CHECK(idle.read_to_end().empty());
  CHECK(idle.ended_properly());
  CHECK(waiting.at_end());
}

TEST_CASE("a machine behind proxy_proto gets the client's address first, with TLS or without") {
  for (const bool secure : {false, true}) {
    Notes seen;
    FakeMachine app([&](Wire& wire, int) {
      seen.add(wire.read_until("\r\n"));
      wire.write(wire.read_exactly(4));
    });
    TlsWorld world({machine("m1", app.endpoint())}, {.tls = secure, .proxy_protocol = ProxyProtocolVersion::v1});
    if (secure) {
      TlsWire wire = world.connect();
      wire.write("ping");
      CHECK(wire.read_to_end() == "ping");
    } else {
      Wire wire = world.world.connect();
      wire.write("ping");
      CHECK(wire.read_to_end() == "ping");
    }
    const auto lines = seen.all();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "));
    CHECK(lines[0].ends_with(" 443\r\n"));
  }
}

TEST_CASE("the PROXY header comes without waiting for the client's first byte, and names the app's public address") {
  FakeMachine app([](Wire& wire, int) { wire.write(wire.read_exactly(28)); });
  TlsWorld world({machine("m1", app.endpoint())}, {.proxy_protocol = ProxyProtocolVersion::v2},
                 [](RoutingSnapshot& snapshot) { snapshot.ports[0].public_address = "198.18.0.1"; });
  Wire wire = world.world.connect();
  const std::string header = wire.read_to_end();
  REQUIRE(header.size() == 28);
  CHECK(header.substr(12, 4) == std::string("\x21\x11\x00\x0c", 4));
  CHECK(header.substr(20, 4) == std::string("\xc6\x12\x00\x01", 4));
  CHECK(header.substr(26) == "\x01\xbb");
}

namespace {

const std::string kSslRequest("\0\0\0\x08\x04\xd2\x16\x2f", 8), kGssRequest("\0\0\0\x08\x04\xd2\x16\x30", 8);
const std::string kStartup = std::string("\0\0\0\x13\0\3\0\0user\0me\0\0", 17);

UniqueFd plain_socket(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval patience{.tv_sec = kPatience.count() / 1000, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address = address_of("127.0.0.1", port);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

char ask(const UniqueFd& fd, const std::string& request) {
  REQUIRE(::send(fd.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  char answer = 0;
  REQUIRE(::recv(fd.get(), &answer, 1, 0) == 1);
  return answer;
}

}  // namespace

TEST_CASE("pg_tls: PostgreSQL's request for TLS, then TLS, then the bytes in plain to the server") {
  Notes seen;
  FakeMachine server([&](Wire& wire, int) {
    seen.add(wire.read_exactly(kStartup.size()));
    wire.write("R");
  });
  TlsWorld world({machine("m1", server.endpoint())}, {.pg_tls = true});
  UniqueFd after_request = plain_socket(world.world.port());
  CHECK(ask(after_request, kSslRequest) == 'S');
  UniqueFd after_gss = plain_socket(world.world.port());
  CHECK(ask(after_gss, kGssRequest) == 'N');
  CHECK(ask(after_gss, kSslRequest) == 'S');
  UniqueFd direct = plain_socket(world.world.port());
  UniqueFd* sockets[] = {&after_request, &after_gss, &direct};
  for (UniqueFd* socket : sockets) {
    TlsWire wire(world.client, std::move(*socket), {.alpn = "postgresql"});
    REQUIRE(wire.connected());
    CHECK(wire.protocol() == "postgresql");
    wire.write(kStartup);
    CHECK(wire.read_to_end() == "R");
  }
  CHECK(seen.all() == std::vector<std::string>(3, kStartup));
}

TEST_CASE("pg_tls: who does not want TLS gets an ErrorResponse that says so, and the server nothing") {
  FakeMachine server([](Wire&, int) {});
  TlsWorld world({machine("m1", server.endpoint())}, {.pg_tls = true});
  struct Case {
    std::string bytes;
    const char* code;
    const char* message;
  };
  const Case cases[] = {
      {kStartup, "C28000", "encrypted connections only"},
      {std::string("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2", 16), "C28000", "encrypted cancel requests only"},
      {"GET / HTTP/1.1\r\n\r\n", "C08P01", "speaks PostgreSQL's protocol"},
      {kSslRequest + kStartup, "C08P01", "unencrypted bytes"},
  };
  for (const Case& c : cases) {
    INFO(c.message);
    Wire wire = world.world.connect();
    wire.write(c.bytes);
    const std::string answer = wire.read_to_end();
    CHECK(wire.end_error() == 0);
    CHECK(answer.starts_with("E"));
    CHECK(has(answer, c.code));
    CHECK(has(answer, c.message));
  }
  CHECK(server.accepted() == 0);
}
