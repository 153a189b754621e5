#include "flylocal/report/http_answer.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::report;
using namespace std::string_literals;
using Kind = HttpAnswer::Kind;

namespace {

struct Case {
  const char* name;
  std::string octets;
  Kind kind;
  int status = 0;
  std::string location = {};
};

const std::string kRedirect = "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nLOCATION: \t https://a.fly.dev/ \t\r\n\r\n";

const std::vector<Case> kCases = {
    {"nginx", "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 2\r\n\r\nok", Kind::kAnswered, 200},
    {"HTTP/1.0 of Python", "HTTP/1.0 404 File not found\r\nServer: SimpleHTTP/0.6\r\n\r\n<html>", Kind::kAnswered, 404},
    {"no reason phrase", "HTTP/1.1 204\r\n\r\n", Kind::kAnswered, 204},
    {"line feeds alone", "HTTP/1.1 200 OK\nLocation: /a\n\nbody", Kind::kAnswered, 200, "/a"},
    {"a redirect", kRedirect, Kind::kAnswered, 301, "https://a.fly.dev/"},
    {"a redirect that only its body names", "HTTP/1.1 302 Found\r\nX: y\r\n\r\nLocation: /b\r\n\r\n", Kind::kAnswered, 302},
    {"400 of a host that is refused", "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\nBad Request (400)", Kind::kAnswered, 400},
    {"early hints first", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /c\r\n\r\n", Kind::kAnswered, 302, "/c"},
    {"100 and 102 first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\n\nHTTP/1.1 200 OK\r\n\r\n", Kind::kAnswered, 200},
    {"101, which is the last", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", Kind::kAnswered, 101},
    // Who wants TLS.
    {"Go", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", Kind::kTls},
    {"nginx with ssl", "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>", Kind::kTls},
    {"Apache with SSLEngine", "HTTP/1.1 400 Bad Request\r\n\r\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />", Kind::kTls},
    {"Tomcat with SSLEnabled", "HTTP/1.1 400 \r\n\r\nBad Request\r\nThis combination of host and port requires TLS.\r\n", Kind::kTls},
    {"an alert of OpenSSL", "\x15\x03\x01\x00\x02\x02\x46"s, Kind::kTls},
    {"a handshake", "\x16\x03\x03\x00\x31\x02"s, Kind::kTls},
    // Who speaks something else.
    {"Redis", "-ERR wrong number of arguments for 'get' command\r\n", Kind::kNotHttp},
    {"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", Kind::kNotHttp},
    {"SMTP", "220 mail ESMTP\r\n", Kind::kNotHttp},
    // Who speaks HTTP/2 alone.
    {"HTTP/2 (gRPC)", "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"s, Kind::kHttp2},
    {"empty SETTINGS, and GOAWAY (Node.js)", "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"s, Kind::kHttp2},
    {"GOAWAY alone", "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"s, Kind::kHttp2},
    {"Kestrel with Http2 alone", "HTTP/1.1 400 Bad Request\r\nContent-Length: 57\r\n\r\nAn HTTP/1.x request was sent to an HTTP/2 only endpoint.\n", Kind::kHttp2},
    {"a frame of another type", "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x3f\x00\x00"s, Kind::kNotHttp},
    {"a frame of a stream", "\x00\x00\x06\x04\x00\x00\x00\x00\x01\x00\x05\x00\x00\x40\x00"s, Kind::kNotHttp},
    {"SETTINGS of no whole number", "\x00\x00\x05\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40"s, Kind::kNotHttp},
    {"GOAWAY that is too short", "\x00\x00\x07\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"s, Kind::kNotHttp},
    {"the beginning of a frame and no more", "\x00\x00\x06\x04\x00\x00\x00\x00"s, Kind::kNotHttp},
    {"MariaDB", "\x4a\x00\x00\x00\x0a" "5.5.5-10.11.6-MariaDB"s, Kind::kNotHttp},
    {"HTTP/0.9", "<html>hello</html>", Kind::kNotHttp},
    {"HTTP/1.1 without a number", "HTTP/1.1 OK\r\n\r\n", Kind::kNotHttp},
    {"a number with two digits", "HTTP/1.1 42 \r\n\r\n", Kind::kNotHttp},
    {"a number in another line", "HTTP/1.1\r\nAge: 200\r\n\r\n", Kind::kNotHttp},
    {"a number below 100", "HTTP/1.1 099 X\r\n\r\n", Kind::kNotHttp},
    {"an octet of TLS and no more", "\x16", Kind::kNotHttp},
    {"another octet and no more", "!", Kind::kNotHttp},
    {"the beginning of HTTP and no more", "HTT", Kind::kNotHttp},
};

}  // namespace

TEST_CASE("an answer is understood when it has ended") {
  for (const Case& c : kCases) {
    INFO(c.name);
    const auto answer = read_answer(c.octets, true);
    REQUIRE(answer);
    CHECK(answer->kind == c.kind);
    CHECK(answer->reach == Reach::kReachable);
    if (c.kind == Kind::kAnswered) CHECK(answer->status == c.status);
    if (c.kind == Kind::kAnswered) CHECK(answer->location == c.location);
  }
}

TEST_CASE("of a part of an answer nothing is said, or what the whole says") {
  for (const Case& c : kCases) {
    bool understood = false;
    for (std::size_t size = 0; size <= c.octets.size(); ++size) {
      INFO(c.name << ", " << size << " octets");
      const auto answer = read_answer(std::string_view(c.octets).substr(0, size), false);
      CHECK((answer || !understood));  // more octets never take an answer back
      understood = answer.has_value();
      if (!answer) continue;
      CHECK(answer->kind == c.kind);
      if (c.kind == Kind::kAnswered) CHECK(answer->status == c.status);
      if (c.kind == Kind::kAnswered) CHECK(answer->location == c.location);
    }
    // A 400 of unknown length may say later what it is about; what has one octet can become anything.
    const bool waits = (c.octets.find(" 400 ") != std::string::npos && c.octets.find("Content-Length") == std::string::npos) || c.octets.size() < 2 ||
                       c.octets == "HTT" || (c.octets[0] == '\0' && c.octets.size() < 9);
    INFO(c.name);
    CHECK(understood == !waits);
  }
}

TEST_CASE("a connection that ends in silence was closed") {
  CHECK_FALSE(read_answer("", false));
  const auto answer = read_answer("", true);
  REQUIRE(answer);
  CHECK(answer->kind == Kind::kClosed);
  CHECK(answer->reach == Reach::kReachable);
}

TEST_CASE("an answer that never ends is understood after some octets") {
  const std::string endless(64 * 1024, 'x');
  for (const std::string& start : {"HTTP/1.1 200 OK\r\nX: "s, "HTTP/1.1 400 Bad Request\r\n\r\n"s, "HTTP/1.1 400 Bad Request\r\nX: "s}) {
    const auto answer = read_answer(start + endless, false);
    REQUIRE(answer);
    CHECK(answer->kind == Kind::kAnswered);
    CHECK(answer->status == (start.find("200") != std::string::npos ? 200 : 400));
  }
}

TEST_CASE("what only announces an answer is none, whether it is whole or breaks off") {
  for (const char* octets : {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n", "HTTP/1.1 103 Early Hints\n\nHTTP/1.1 102 Processing"}) {
    INFO(octets);
    CHECK_FALSE(read_answer(octets, false));
    const auto answer = read_answer(octets, true);
    REQUIRE(answer);
    CHECK(answer->kind == Kind::kClosed);
    CHECK(answer->status == 0);
  }
}

TEST_CASE("announcements that never end are not waited for, however many they are") {
  std::string octets;
  while (octets.size() < 16 * 1024) octets += "HTTP/1.1 100 \n\n";
  auto answer = read_answer(octets, false);
  REQUIRE(answer);
  CHECK(answer->kind == Kind::kSilent);
  // So many that each must not take a part of the stack.
  while (octets.size() < 4 * 1024 * 1024) octets += octets;
  answer = read_answer(octets + "HTTP/1.1 200 OK\r\n\r\n", true);
  REQUIRE(answer);
  CHECK(answer->kind == Kind::kAnswered);
  CHECK(answer->status == 200);
}

TEST_CASE("the body is read to its end where it may tell why, and nowhere else") {
  const std::string kLengths[] = {"Content-Length: 9\r\n\r\nblocked\r\n", "Transfer-Encoding: chunked\r\n\r\n9\r\nblocked\r\n\r\n0\r\n\r\n"};
  for (const std::string& rest : kLengths)
    for (const char* status : {"400 Bad Request", "403 Forbidden", "421 Misdirected Request"}) {
      const std::string octets = "HTTP/1.1 " + std::string(status) + "\r\n" + rest;
      INFO(octets);
      for (std::size_t size = 0; size < octets.size(); ++size) CHECK_FALSE(read_answer(octets.substr(0, size), false));
      const auto answer = read_answer(octets, false);
      REQUIRE(answer);
      CHECK_THAT(answer->body, Catch::Contains("blocked"));
    }
  // Until the connection ends, where nothing tells the length.
  CHECK_FALSE(read_answer("HTTP/1.1 403 Forbidden\r\n\r\nblo", false));
  CHECK(read_answer("HTTP/1.1 403 Forbidden\n\nblo", true)->body == "blo");
  // A short one is a sentence perhaps; of a page the head is enough.
  CHECK_FALSE(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nInvalid Host", false));
  CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nInvalid Host header", false)->body == "Invalid Host header");
  CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", false)->body.empty());
  CHECK(read_answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false)->body.empty());
  CHECK(read_answer("HTTP/1.1 404 Not Found\r\nContent-Length: many\r\n\r\n", false)->body.empty());
}

TEST_CASE("the preface of HTTP/2 is the line that no server of HTTP/1.1 serves, and an empty SETTINGS frame (RFC 9113 3.4)") {
  CHECK(http2_preface() == "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"s);
}

TEST_CASE("the words of an answer are its first line, as far as it can be printed") {
  CHECK(read_answer("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", false)->words == "HTTP/1.1 200 OK");
  CHECK(read_answer("-ERR\x1b[31m \x00\xffred\r\nmore"s, false)->words == "-ERR[31m red");
  CHECK(read_answer("!" + std::string(1000, 'a'), false)->words.size() == 120);
}

TEST_CASE("a request has its host, its headers, and asks the server to close") {
  CHECK(request_text({"HEAD", "/up?x=1", "a.fly.dev", {{"X-Forwarded-Proto", "https"}, {"Via", "1.1 fly.io"}}}) ==
        "HEAD /up?x=1 HTTP/1.1\r\nHost: a.fly.dev\r\nUser-Agent: flylocal\r\nAccept: */*\r\nX-Forwarded-Proto: https\r\nVia: 1.1 fly.io\r\nConnection: close\r\n\r\n");
  HttpAsk ask;
  ask.host = "localhost";
  CHECK_THAT(request_text(ask), Catch::StartsWith("GET / HTTP/1.1\r\nHost: localhost\r\n") && Catch::EndsWith("\r\n\r\n"));
}

TEST_CASE("a PROXY header of version 1 is one line of five words behind its name (platform facts 4.2)") {
  const std::string header = proxy_protocol_header();
  CHECK_THAT(header, Catch::StartsWith("PROXY TCP4 ") && Catch::EndsWith("\r\n"));
  CHECK(std::count(header.begin(), header.end(), ' ') == 5);
  CHECK(std::count(header.begin(), header.end(), '\n') == 1);
  CHECK(header.size() <= 107);  // the specification's limit
}

TEST_CASE("a TLS hello is one handshake record with a ClientHello in it (RFC 8446 5.1, 4)") {
  const std::string hello = tls_client_hello();
  REQUIRE(hello.size() > 9);
  auto octet = [&](std::size_t at) { return static_cast<unsigned char>(hello[at]); };
  CHECK(is_tls_handshake(hello));
  CHECK(octet(0) == 0x16);                                  // handshake
  CHECK(octet(1) == 3);
  CHECK(octet(3) * 256u + octet(4) == hello.size() - 5);    // the record's length
  CHECK(octet(5) == 1);                                     // client_hello
  CHECK((octet(6) * 256u + octet(7)) * 256u + octet(8) == hello.size() - 9);
  CHECK(octet(9) == 3);                                     // legacy_version
  CHECK(octet(10) == 3);
}

TEST_CASE("only a handshake or an alert of TLS counts as TLS") {
  CHECK(is_tls_handshake("\x16\x03"));
  CHECK(is_tls_handshake("\x15\x03\x01"));
  for (const std::string& octets : {""s, "\x16"s, "\x16\x02"s, "\x17\x03"s, "\x14\x03"s, "HTTP/1.1 200"s}) CHECK_FALSE(is_tls_handshake(octets));
}
