#include "proxy/h2/answer_head.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "proxy/http1/head.hpp"

using namespace flylocal::proxy;
using h2::AnswerHead;

namespace {

/// "name: value" of each field, with "!" in front of those that HPACK is not to keep.
std::vector<std::string> lines(const AnswerHead& head) {
  std::vector<std::string> all;
  for (const nghttp2_nv& one : head.fields) {
    const auto text = [](const std::uint8_t* octets, std::size_t size) { return std::string(reinterpret_cast<const char*>(octets), size); };
    all.push_back((one.flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "") + text(one.name, one.namelen) + ": " + text(one.value, one.valuelen));
  }
  return all;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("an answer's fields pass on to HTTP/2, but for those of HTTP/1.1's connection") {
  AnswerHead head;
  REQUIRE(head.read("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nCONNECTION: keep-alive, Close\r\nKeep-Alive: timeout=5\r\n"
                    "proxy-connection: x\r\nupgrade: y\r\nSec-WebSocket-Accept: z\r\nempty: \r\nserver: Fly\r\nfly-request-id: 01ABC-ams\r\n\r\n"));
  CHECK(head.status == 200);
  CHECK(lines(head) == Lines{":status: 200", "Content-Type: text/plain", "Content-Length: 12", "empty: ", "server: Fly", "!fly-request-id: 01ABC-ams"});
  CHECK(head.content_length == 12);
  CHECK(head.connection_close);
  CHECK_FALSE(head.chunked);
}

TEST_CASE("nothing of the answer before is left") {
  AnswerHead head;
  REQUIRE(head.read("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"));
  CHECK(head.chunked);
  REQUIRE(head.read("HTTP/1.1 404 \r\n\r\n"));
  CHECK(head.status == 404);
  CHECK(lines(head) == Lines{":status: 404"});
  CHECK_FALSE(head.content_length);
  CHECK_FALSE(head.connection_close);
  CHECK_FALSE(head.chunked);
}

TEST_CASE("an upgrade of HTTP/1.1 is a 200 of HTTP/2") {
  AnswerHead head;
  REQUIRE(head.read("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx: y\r\n\r\n"));
  CHECK(head.status == 101);
  CHECK(lines(head) == Lines{":status: 200", "x: y"});
}

TEST_CASE("what no session writes is refused") {
  AnswerHead head;
  const std::string whole = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\na: b\r\n\r\n";
  REQUIRE(head.read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(head.read(std::string_view(whole).substr(0, size)));
  }
  CHECK_FALSE(head.read("HTTP/1.1 2x0 OK\r\n\r\n"));
  CHECK_FALSE(head.read("HTTP/1.1 200 OK\r\ncontent-length: 7x\r\n\r\n"));
  CHECK_FALSE(head.read("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"));
}

TEST_CASE("an answer's head is read as the strict parser reads it") {
  std::mt19937 random(20261123);
  const auto pick = [&](auto&... of) -> std::string {
    const std::string all[] = {of...};
    return all[random() % std::size(all)];
  };
  AnswerHead head;
  http1::ResponseHead strict;
  for (int round = 0; round < 5000; ++round) {
    std::string text = "HTTP/1.1 " + pick("200", "204", "301", "404", "503") + pick(" OK", " ", " Not Found") + "\r\n";
    const bool sized = random() % 2;
    if (sized) text += pick("Content-Length", "content-length") + ": " + std::to_string(random() % 5000) + "\r\n";
    else if (random() % 2) text += "transfer-encoding: chunked\r\n";
    for (unsigned i = 0; i < random() % 6; ++i)
      text += pick("a", "Date", "x-seven", "ETag", "x-ten-long", "Set-Cookie", "x-fourteen-oct", "x-sixteen-octets", "x-seventeen-octet", "x-twenty-octets-long") + ": " +
              pick("", "b", "c: d", "a, b; q=\"x\"", "\xc3\xa9", "1\t2") + "\r\n";
    if (random() % 3 == 0) text += "connection: " + pick("close", "keep-alive") + "\r\n";
    text += "\r\n";
    INFO(text);
    REQUIRE_FALSE(http1::parse_response_head(text, strict));
    REQUIRE(head.read(text));
    CHECK(head.status == strict.status);
    CHECK(head.content_length == strict.fields.content_length);
    CHECK(head.chunked == strict.fields.chunked);
    CHECK(head.connection_close == strict.fields.connection_close);
    Lines expected{":status: " + std::to_string(strict.status)};
    for (const http1::Field& field : strict.fields.list)
      if (field.id != http1::FieldId::connection && field.id != http1::FieldId::transfer_encoding)
        expected.push_back(std::string(field.name) + ": " + std::string(field.value));
    CHECK(lines(head) == expected);
  }
}
