#include "proxy/http1/body.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::proxy::http1;

namespace {

struct Scanned {
  std::string payload;
  std::string forwarded;  ///< payload and framing
  std::string rest;
  bool ended = false;
  bool malformed = false;
};

/// Gives the scanner `portion` more bytes at a time, as a slow connection would.
Scanned scan(BodyScanner scanner, const std::string& bytes, std::size_t portion) {
  Scanned result;
  std::string waiting;
  std::size_t given = 0;
  for (;;) {
    auto [kind, size] = scanner.next(waiting);
    switch (kind) {
      case BodyScanner::Kind::payload:
        result.payload += waiting.substr(0, size);
        result.forwarded += waiting.substr(0, size);
        break;
      case BodyScanner::Kind::framing:
        result.forwarded += waiting.substr(0, size);
        break;
      case BodyScanner::Kind::dropped:
        break;
      case BodyScanner::Kind::more:
        if (given == bytes.size()) return result;
        waiting += bytes.substr(given, portion);
        given = std::min(bytes.size(), given + portion);
        continue;
      case BodyScanner::Kind::end:
        result.ended = true;
        result.rest = waiting + bytes.substr(given);
        return result;
      case BodyScanner::Kind::malformed:
        CHECK_FALSE(scanner.error().empty());
        result.malformed = true;
        return result;
    }
    REQUIRE(size > 0);
    waiting.erase(0, size);
  }
}

const std::vector<std::size_t> kPortions = {1, 2, 3, 7, 1000};

}  // namespace

TEST_CASE("a body of known length ends there and leaves the rest alone") {
  for (std::size_t portion : kPortions) {
    auto result = scan(BodyScanner::length(5), "helloGET /", portion);
    CHECK(result.payload == "hello");
    CHECK(result.ended);
    CHECK(result.rest == "GET /");
  }
  CHECK(scan(BodyScanner::length(0), "x", 1).ended);
  CHECK(scan(BodyScanner::none(), "x", 1).rest == "x");
  CHECK_FALSE(scan(BodyScanner::length(5), "hell", 1).ended);
}

TEST_CASE("a body that lasts until the connection closes never ends by itself") {
  auto result = scan(BodyScanner::until_close(), "anything", 3);
  CHECK(result.payload == "anything");
  CHECK_FALSE(result.ended);
}

TEST_CASE("chunks are passed on as they are, however their bytes come") {
  std::string body = "5\r\nhello\r\n00A\r\n, world!!!\r\n0\r\n\r\n";
  for (std::size_t portion : kPortions) {
    CAPTURE(portion);
    auto result = scan(BodyScanner::chunked(), body + "next", portion);
    CHECK(result.payload == "hello, world!!!");
    CHECK(result.forwarded == body);
    CHECK(result.ended);
    CHECK(result.rest == "next");
  }
}

TEST_CASE("chunk extensions are not passed on") {
  std::string body = "5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\n\r\n";
  for (std::size_t portion : kPortions) {
    CAPTURE(portion);
    auto result = scan(BodyScanner::chunked(), body, portion);
    CHECK(result.forwarded == "5\r\nhello\r\n0\r\n\r\n");
    CHECK(result.ended);
  }
}

TEST_CASE("trailer fields are passed on, except those that frame, route or are trusted") {
  std::string body =
      "0\r\nExpires: now\r\nContent-Length: 3\r\nHost: b\r\nFly-Client-IP: 1.2.3.4\r\nX-Sum: 1\r\n\r\n";
  for (std::size_t portion : kPortions) {
    CAPTURE(portion);
    auto result = scan(BodyScanner::chunked(), body + "rest", portion);
    CHECK(result.forwarded == "0\r\nExpires: now\r\nX-Sum: 1\r\n\r\n");
    CHECK(result.rest == "rest");
  }
}

TEST_CASE("malformed chunks are refused (RFC 9112 7.1)") {
  for (std::string body : {
           std::string("\r\nhello"),
           std::string("g\r\n"),
           std::string("-5\r\nhello\r\n"),
           std::string("+5\r\nhello\r\n"),
           std::string("0x5\r\nhello\r\n"),
           std::string(" 5\r\nhello\r\n"),
           std::string("5 \r\nhello\r\n"),
           std::string("5\nhello\n"),
           std::string("5\rhello"),
           std::string("5;a\nhello\r\n"),
           std::string("5;a\0\r\nhello\r\n", 12),
           std::string("5\r\nhelloX\r\n"),
           std::string("5\r\nhello\n0\r\n\r\n"),
           std::string("5\r\nhello\r0\r\n\r\n"),
           std::string("1000000000000000\r\n"),
           std::string("00000000000000000\r\n"),
           "1;" + std::string(5000, 'a') + "\r\n",
           std::string("0\r\nbad trailer\r\n\r\n"),
           std::string("0\r\nX: y\n\r\n"),
           std::string("0\r\n\n"),
           "0\r\nX: " + std::string(20000, 'a') + "\r\n\r\n",
       }) {
    CAPTURE(body.substr(0, 40));
    for (std::size_t portion : kPortions) CHECK(scan(BodyScanner::chunked(), body, portion).malformed);
  }
}
