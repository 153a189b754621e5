#include "proxy/http1/head.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::proxy::http1;

namespace {

/// A head with the bytes that its views point into.
template <class Head>
struct Kept : Head {
  std::string bytes;
};

std::optional<HeadError> parse(std::string bytes, Kept<RequestHead>& head) {
  head.bytes = std::move(bytes);
  HeadEnd end = find_head_end(head.bytes, 0);
  if (end.error) return end.error;
  REQUIRE(end.size == head.bytes.size());
  return parse_request_head(head.bytes, head);
}

std::optional<HeadError> parse(std::string bytes, Kept<ResponseHead>& head) {
  head.bytes = std::move(bytes);
  return parse_response_head(head.bytes, head);
}

struct Refused {
  std::string bytes;
  std::uint16_t status;
  std::string_view reference;
};

std::string with(const std::string& field_lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + field_lines + "\r\n";
}

}  // namespace

TEST_CASE("a request head is taken apart without changing it") {
  std::string bytes =
      "POST /a/b?c=%20d HTTP/1.1\r\n"
      "Host: Hello.LocalHost:8080\r\n"
      "Accept:  text/html , */*\t\r\n"
      "X-Empty:\r\n"
      "X-Latin: caf\xe9\r\n"
      "Content-Length: 12\r\n"
      "\r\n";
  Kept<RequestHead> head;
  REQUIRE_FALSE(parse(bytes, head));
  CHECK(head.method == "POST");
  CHECK(head.target == "/a/b?c=%20d");
  CHECK(head.host == "Hello.LocalHost:8080");
  CHECK(head.version == Version::http11);
  CHECK(head.fields.list.size() == 5);
  CHECK(head.fields.value(FieldId::accept) == "text/html , */*");
  CHECK(head.fields.list[2].value.empty());
  CHECK(head.fields.list[3].value == "caf\xe9");
  CHECK(head.fields.content_length == 12u);
  CHECK(head.keep_alive());
  CHECK(head.has_body());
}

TEST_CASE("whatever two readers could understand in two ways is refused") {
  const std::vector<Refused> refused = {
      // RFC 9112 2.2 and 3: the shape of lines
      {"GET / HTTP/1.1\nHost: a\n\n", 400, "RFC 9112 2.2"},
      {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, "RFC 9112 2.2"},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET /\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"G{T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, "RFC 9112 3"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "RFC 9110 15.6.6"},
      // RFC 9112 5: field lines
      {with("X : y\r\n"), 400, "RFC 9112 5.1"},
      {with("X\t: y\r\n"), 400, "RFC 9112 5.1"},
      {with("X: y\r\n folded\r\n"), 400, "RFC 9112 5.2"},
      {with("X: y\r\n\tfolded\r\n"), 400, "RFC 9112 5.2"},
      {with(": y\r\n"), 400, "RFC 9110 5.1"},
      {with("no colon\r\n"), 400, "RFC 9112 5.1"},
      {with("nocolon\r\n"), 400, "RFC 9110 5.1"},
      {with("X(y): z\r\n"), 400, "RFC 9110 5.1"},
      {with("X\xc3\xa9: z\r\n"), 400, "RFC 9110 5.1"},
      {with(std::string("X: a\0b\r\n", 8)), 400, "RFC 9110 5.5"},
      {with("X: a\rb\r\n"), 400, "RFC 9110 5.5"},
      {with("X: a\x7f\r\n"), 400, "RFC 9110 5.5"},
      {with("X: a\x0b\r\n"), 400, "RFC 9110 5.5"},
      // RFC 9112 3.2: Host
      {"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, "RFC 9112 3.2"},
      {with("Host: a\r\n"), 400, "RFC 9112 3.2"},
      {with("HOST: b\r\n"), 400, "RFC 9112 3.2"},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "RFC 9112 3.2"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "RFC 9112 3.2"},
      {"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400, "RFC 9112 3.2"},
      // RFC 9112 3.2.2: targets
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2"},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2"},
      {"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2"},
      {"GET http://user@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2"},
      {"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2"},
      {"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 501, "RFC 9110 9.3.6"},
      // RFC 9112 6: framing
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "RFC 9112 6.1"},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "RFC 9112 6.1"},
      {with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "RFC 9112 6.3"},
      {with("Content-Length: 5, 5\r\n"), 400, "RFC 9110 8.6"},
      {with("Content-Length: +5\r\n"), 400, "RFC 9110 8.6"},
      {with("Content-Length: -5\r\n"), 400, "RFC 9110 8.6"},
      {with("Content-Length: 0x5\r\n"), 400, "RFC 9110 8.6"},
      {with("Content-Length: 5 5\r\n"), 400, "RFC 9110 8.6"},
      {with("Content-Length:\r\n"), 400, "RFC 9110 8.6"},
      {with("Content-Length: 18446744073709551616\r\n"), 400, "RFC 9110 8.6"},
      {with("Transfer-Encoding: gzip, chunked\r\n"), 501, "RFC 9112 6.1"},
      {with("Transfer-Encoding: chunked, chunked\r\n"), 501, "RFC 9112 6.1"},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501, "RFC 9112 6.1"},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 501, "RFC 9112 6.1"},
      {with("Transfer-Encoding: xchunked\r\n"), 501, "RFC 9112 6.1"},
      {with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400, "RFC 9110 5.5"},
      {with("Transfer-Encoding:\r\n"), 501, "RFC 9112 6.1"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "RFC 9112 6.1"},
  };
  for (const auto& [bytes, status, reference] : refused) {
    CAPTURE(bytes);
    Kept<RequestHead> head;
    auto error = parse(bytes, head);
    REQUIRE(error);
    CHECK(error->status == status);
    CHECK(error->reference == reference);
  }
}

TEST_CASE("a head may have 256 fields and no more") {
  std::string lines;
  for (int i = 0; i < 255; ++i) lines += "X: y\r\n";
  Kept<RequestHead> head;
  CHECK_FALSE(parse(with(lines), head));
  auto error = parse(with(lines + "X: y\r\n"), head);
  REQUIRE(error);
  CHECK(error->status == 431);
}

TEST_CASE("equal Content-Length fields count as one, the coding's name has no case") {
  Kept<RequestHead> head;
  REQUIRE_FALSE(parse(with("Content-Length: 5\r\ncontent-length: 5\r\n"), head));
  CHECK(head.fields.content_length == 5u);
  REQUIRE_FALSE(parse(with("transfer-encoding: Chunked\r\n"), head));
  CHECK(head.fields.chunked);
}

TEST_CASE("a target in absolute form gives the host") {
  struct Case {
    std::string line, host, target;
  };
  for (const auto& [line, host, target] : std::vector<Case>{
           {"GET http://other:81/path?x HTTP/1.1", "other:81", "/path?x"},
           {"GET HTTP://other HTTP/1.1", "other", "/"},
           {"OPTIONS * HTTP/1.1", "a", "*"},
       }) {
    Kept<RequestHead> head;
    std::string bytes = line + "\r\nHost: a\r\n\r\n";
    REQUIRE_FALSE(parse(bytes, head));
    CHECK(head.host == host);
    CHECK(head.target == target);
  }
}

TEST_CASE("HTTP/1.0 needs no Host and keeps the connection only when asked to") {
  Kept<RequestHead> head;
  REQUIRE_FALSE(parse("GET / HTTP/1.0\r\n\r\n", head));
  CHECK(head.host.empty());
  CHECK_FALSE(head.keep_alive());
  REQUIRE_FALSE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", head));
  CHECK(head.keep_alive());
  REQUIRE_FALSE(parse(with("Connection: x, close\r\n"), head));
  CHECK_FALSE(head.keep_alive());
}

TEST_CASE("fields that Connection names are marked, but never those that frame or route") {
  Kept<RequestHead> head;
  REQUIRE_FALSE(
      parse(with("X-Hop: 1\r\nX-End: 2\r\nContent-Length: 0\r\nConnection: x-hop, host, Content-Length\r\n"),
            head));
  for (const Field& field : head.fields.list) {
    CAPTURE(field.name);
    CHECK(field.named_by_connection == (field.name == "X-Hop"));
  }
}

TEST_CASE("an upgrade needs both Connection and Upgrade") {
  Kept<RequestHead> head;
  REQUIRE_FALSE(parse(with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), head));
  CHECK(head.wants_upgrade());
  REQUIRE_FALSE(parse(with("Upgrade: websocket\r\n"), head));
  CHECK_FALSE(head.wants_upgrade());
}

TEST_CASE("the end of a head is found however its bytes come, and a bare line feed at once") {
  std::string bytes = with("X: y\r\n");
  for (std::size_t searched = 0; searched < bytes.size(); ++searched) {
    CHECK(find_head_end(std::string_view(bytes).substr(0, searched), 0).size == 0);
    CHECK(find_head_end(bytes, searched).size == bytes.size());
  }
  CHECK(find_head_end("GET / HTTP/1.1\n", 0).error);
  CHECK(find_head_end("GET / HTTP/1.1\r\nX: y\n", 16).error);
  CHECK(leading_empty_lines("\r\n\r\nGET") == 4);
  CHECK(leading_empty_lines("\rGET") == 0);
}

TEST_CASE("a bare line feed ends the search before an end that comes later") {
  CHECK(find_head_end("GET / HTTP/1.1\r\nX: y\nHost: z\r\n\r\n", 0).error);
}

TEST_CASE("a control character is refused wherever it stands in a field's value") {
  for (std::size_t size = 1; size <= 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        std::string line = "X:" + std::string(size, 'v');
        line[2 + at] = static_cast<char>(octet);
        Field field;
        const bool refused = (octet < 0x20 && octet != '\t') || octet == 0x7f;
        CAPTURE(size, at, octet);
        CHECK(parse_field_line(line, field).has_value() == refused);
      }
    }
  }
}

TEST_CASE("an answer's head is taken apart, with or without reason") {
  Kept<ResponseHead> head;
  REQUIRE_FALSE(parse("HTTP/1.1 200 All right\r\nContent-Length: 3\r\n\r\n", head));
  CHECK(head.status == 200);
  CHECK(head.reason == "All right");
  CHECK(head.fields.content_length == 3u);
  CHECK(head.keep_alive());
  REQUIRE_FALSE(parse("HTTP/1.0 404\r\n\r\n", head));
  CHECK(head.status == 404);
  CHECK(head.reason.empty());
  CHECK_FALSE(head.keep_alive());
}

TEST_CASE("malformed answers are refused") {
  for (std::string line :
       {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/2.0 200 OK",
        "HTTP/1.1  200 OK", "ICY 200 OK", "", "HTTP/1.1 200 O\x01K", "HTTP/1.1 +20 OK"}) {
    CAPTURE(line);
    Kept<ResponseHead> head;
    CHECK(parse(line + "\r\n\r\n", head));
  }
  Kept<ResponseHead> head;
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", head));
}

TEST_CASE("a field is known by its name in any case, and by no other name") {
  const std::pair<std::string, FieldId> known[] = {{"te", FieldId::te},
                                                   {"via", FieldId::via},
                                                   {"upgrade", FieldId::upgrade},
                                                   {"keep-alive", FieldId::keep_alive},
                                                   {"content-length", FieldId::content_length},
                                                   {"x-forwarded-for", FieldId::x_forwarded_for},
                                                   {"proxy-connection", FieldId::proxy_connection},
                                                   {"transfer-encoding", FieldId::transfer_encoding}};
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  for (const auto& [name, id] : known) {
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        std::string changed = name;
        changed[at] = static_cast<char>(octet);
        const std::string line = changed + ": 1";
        Field field;
        if (parse_field_line(line, field) || field.name != changed) continue;  // no name at all, or a colon in it
        INFO(line);
        CHECK((field.id == id) == (lower(changed[at]) == name[at]));
      }
    }
  }
}
