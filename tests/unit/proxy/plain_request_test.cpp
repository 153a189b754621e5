#include "proxy/tls/plain_request.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::proxy::tls;
using State = PlainRequest::State;
using Catch::Matchers::Contains;

TEST_CASE("plain HTTP is told from what is something else by its first bytes") {
  for (const char* bytes : {"", "G", "GET", "GET / HTTP/1.1\r\nHost: x\r\n", "PROPPATCH /"}) {
    INFO(bytes);
    CHECK(read_plain_request(bytes).state == State::incomplete);
  }
  for (const char* bytes : {"\x16\x03\x01", "get / HTTP/1.1\r\n\r\n", " GET", "GET/", "SSH-2.0-OpenSSH", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "{}"}) {
    INFO(bytes);
    CHECK(read_plain_request(bytes).state == State::other);
  }
}

TEST_CASE("the refusal of plain HTTP names the URL that would have been right, and shows nothing that steers a client") {
  struct Case {
    std::string head;
    const char* url;
  };
  const Case cases[] = {
      {"GET /a?b=1 HTTP/1.1\r\nHost: hello.localhost:8443\r\n\r\n", "Ask for https://hello.localhost:8443/a?b=1\n"},
      {"GET / HTTP/1.1\r\nAccept: */*\r\nHOST:\t[::1]:8443 \r\n\r\n", "Ask for https://[::1]:8443/\n"},
      {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "Ask for https://x/\n"},
      {"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n", "Ask for https://x/\n"},
      {"GET / HTTP/1.0\r\n\r\n", "plain HTTP.\n"},
      {"GET / HTTP/1.1\r\nHost: x<script>\r\n\r\n", "plain HTTP.\n"},
      {"GET / HTTP/1.1\r\n\r\nHost: x\r\n\r\n", "plain HTTP.\n"},
  };
  for (const Case& c : cases) {
    INFO(c.head);
    const PlainRequest request = read_plain_request(c.head);
    CHECK(request.state == State::request);
    const std::string refusal = plain_request_refusal(request, true);
    CHECK(refusal.starts_with("HTTP/1.1 400 "));
    CHECK(refusal.ends_with(c.url));
    const std::string body = refusal.substr(refusal.find("\r\n\r\n") + 4);
    CHECK_THAT(refusal, Contains("content-length: " + std::to_string(body.size()) + "\r\n"));
  }
  CHECK_THAT(plain_request_refusal(read_plain_request(cases[0].head), false), !Contains("https://"));
}
