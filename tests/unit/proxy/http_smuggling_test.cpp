#include <catch2/catch.hpp>

#include "proxy_world.hpp"

using namespace flylocal::proxy;
using namespace flylocal::proxy::test;

namespace {

struct Smuggled {
  std::string what;
  std::string bytes;
  std::string status;
};

const std::string kNext = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\n";

}  // namespace

// The heads themselves are tested with their RFC clauses in http1_head_test; here it is shown that nothing of
// such a request, or of what follows it, reaches a machine.
TEST_CASE(
    "a request that could be read in two ways is answered, the connection closed, and nothing passed on") {
  Notes heads;
  FakeMachine app(answering(ok("hi"), &heads));
  ProxyWorld world({machine("m1", app.endpoint())});
  const std::vector<Smuggled> table = {
      {"CL.TE (RFC 9112 6.1)",
       kPost + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + kNext, "400"},
      {"TE.CL (RFC 9112 6.1)",
       kPost + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + kNext, "400"},
      {"CL.CL (RFC 9112 6.3)", kPost + "Content-Length: 0\r\nContent-Length: 35\r\n\r\n" + kNext, "400"},
      {"TE.TE (RFC 9112 6.1)",
       kPost + "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n" + kNext, "501"},
      {"TE with a vertical tab (RFC 9110 5.5)",
       kPost +
           "Transfer-Encoding:\x0b"
           "chunked\r\n\r\n0\r\n\r\n" +
           kNext,
       "400"},
      {"space before the colon (RFC 9112 5.1)",
       kPost + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + kNext, "400"},
      {"obs-fold (RFC 9112 5.2)", kPost + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + kNext,
       "400"},
      {"TE on a folded line (RFC 9112 6.1)",
       kPost + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + kNext, "501"},
      {"bare LF (RFC 9112 2.2)", "POST / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 35\r\n\r\n" + kNext,
       "400"},
      {"bare CR (RFC 9110 5.5)", kPost + "X: y\rContent-Length: 35\r\n\r\n" + kNext, "400"},
      {"two hosts (RFC 9112 3.2)", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + kNext, "400"},
      {"no host (RFC 9112 3.2)", "GET / HTTP/1.1\r\n\r\n" + kNext, "400"},
      {"a head that is too large (RFC 6585 5)", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70000, 'x'),
       "431"},
      {"a broken HTTP/2 preface (RFC 9113 3.4)", "PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"TLS on a plain port", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "400"},
  };
  for (const auto& [what, bytes, status] : table) {
    CAPTURE(what);
    Wire client = world.connect();
    client.write(bytes);
    std::string answer = client.read_to_end();
    CHECK(answer.starts_with("HTTP/1.1 " + status + " "));
    CHECK(has(answer, "\r\nconnection: close\r\n"));
    CHECK(answer.find("\nHTTP/1.1 ") == std::string::npos);
    CHECK(client.end_error() == 0);
  }
  CHECK(heads.all().empty());
  CHECK(world.stats().bad_requests == table.size());
}

TEST_CASE("chunks that are malformed end the request, and what follows them is not a request") {
  Notes heads;
  FakeMachine app([&](Wire& wire, int) {
    heads.add(wire.read_head());
    heads.add(wire.read_to_end());
  });
  {
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write(kPost + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    CHECK(eventually([&] { return heads.all().size() == 1; }));
    client.write("0x0\r\n\r\n" + kNext);
    CHECK(client.read_to_end().starts_with("HTTP/1.1 400 "));
  }
  CHECK(eventually([&] { return heads.all().size() == 2; }));
  CHECK(heads.all()[1].starts_with("5\r\nhello\r\n"));
  CHECK_FALSE(has(heads.all()[1], "smuggled"));
}

TEST_CASE("an answer that could be read in two ways is a 502, never passed on") {
  for (std::string answer : {
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
           "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
           "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "SSH-2.0-OpenSSH_9.2\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
       }) {
    CAPTURE(answer);
    FakeMachine app([&](Wire& wire, int) {
      wire.read_head();
      wire.write(answer);
      wire.read_to_end();
    });
    ProxyWorld world({machine("m1", app.endpoint())});
    Wire client = world.connect();
    client.write(kGet);
    std::string head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 502 "));
    CHECK(has(client.read_until("request: "), "502 Bad Gateway PU02"));
  }
}

TEST_CASE("bytes after an answer's end do not become the next answer") {
  FakeMachine app([&](Wire& wire, int connection) {
    wire.read_head();
    wire.write(ok("hi") + (connection == 0 ? ok("not asked for") : ""));
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  for (int i = 0; i < 2; ++i) {
    client.write(kGet);
    client.read_head();
    CHECK(client.read_exactly(2) == "hi");
    CHECK_FALSE(client.readable_within(std::chrono::milliseconds(20)));
  }
  CHECK(app.accepted() == 2);
}
