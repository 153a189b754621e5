#include <catch2/catch.hpp>

#include "proxy/error_page.hpp"
#include "proxy/forwarded_headers.hpp"
#include "proxy/waiting_room.hpp"

using namespace flylocal::proxy;

namespace {

std::string forwarded(const std::string& bytes, bool secure = false, bool http2 = false) {
  http1::RequestHead head;
  REQUIRE_FALSE(http1::parse_request_head(bytes, head));
  ClientFacts client{.client_ip = "192.0.2.7",
                     .dialled_ip = "127.0.0.1",
                     .external_port = static_cast<std::uint16_t>(secure ? 443 : 80),
                     .edge_region = "ams",
                     .secure = secure,
                     .http2 = http2};
  RequestFacts request{.request_id = "01ID-ams",
                       .arrived = std::chrono::system_clock::time_point(std::chrono::microseconds(1234567)),
                       .trace_id = {0x0123456789abcdef, 0xfedcba9876543210},
                       .span_id = 0xff};
  std::string out;
  append_request_head(out, head, client, request);
  return out;
}

}  // namespace

TEST_CASE("the machine gets the client's fields and then the proxy's, in the platform's order") {
  CHECK(forwarded("GET /x HTTP/1.1\r\nUser-Agent: u\r\nHost: h:8080\r\nAccept: */*\r\n\r\n") ==
        "GET /x HTTP/1.1\r\n"
        "Host: h:8080\r\n"
        "User-Agent: u\r\n"
        "Accept: */*\r\n"
        "Fly-Client-IP: 192.0.2.7\r\n"
        "X-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n"
        "Fly-Forwarded-Proto: http\r\n"
        "X-Forwarded-Proto: http\r\n"
        "Fly-Forwarded-Ssl: off\r\n"
        "X-Forwarded-Ssl: off\r\n"
        "Fly-Forwarded-Port: 80\r\n"
        "X-Forwarded-Port: 80\r\n"
        "Fly-Region: ams\r\n"
        "Fly-Request-Id: 01ID-ams\r\n"
        "Via: 1.1 fly.io\r\n"
        "Fly-Traceparent: 00-0123456789abcdeffedcba9876543210-00000000000000ff-00\r\n"
        "Fly-Tracestate:\r\n"
        "X-Request-Start: t=1234567\r\n"
        "\r\n");
}

TEST_CASE("over TLS and HTTP/2 the machine is told so") {
  auto head = forwarded("GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 before\r\nFly-Forwarded-Proto: http\r\n\r\n", true, true);
  CHECK(head.find("\r\nFly-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\nFly-Forwarded-Ssl: on\r\nX-Forwarded-Ssl: on\r\n"
                  "Fly-Forwarded-Port: 443\r\nX-Forwarded-Port: 443\r\n") != std::string::npos);
  CHECK(head.find("\r\nVia: 1.0 before, 2 fly.io\r\n") != std::string::npos);
  CHECK(head.find("Fly-Forwarded-Proto: http\r\n") == std::string::npos);
  CHECK(forwarded("GET / HTTP/1.0\r\n\r\n").find("\r\nVia: 1.0 fly.io\r\n") != std::string::npos);
}

TEST_CASE("a client cannot set what only the proxy may say, and lists go on") {
  auto head = forwarded(
      "GET / HTTP/1.1\r\nHost: h\r\nFly-Client-IP: 6.6.6.6\r\nfly-region: evil\r\nFly-Request-Id: x\r\n"
      "Fly-Replay-Src: x\r\nX-Request-Start: t=0\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
      "Via: 1.0 before\r\nfly-prefer-region: ord\r\nConnection: Authorization\r\nAuthorization: "
      "secret\r\n\r\n");
  CAPTURE(head);
  CHECK(head.find("6.6.6.6") == std::string::npos);
  CHECK(head.find("evil") == std::string::npos);
  CHECK(head.find("Fly-Replay-Src") == std::string::npos);
  CHECK(head.find("t=0") == std::string::npos);
  CHECK(head.find("secret") == std::string::npos);
  CHECK(head.find("fly-prefer-region: ord\r\n") != std::string::npos);
  CHECK(head.find("X-Forwarded-For: 10.0.0.1, 192.0.2.7, 127.0.0.1\r\n") != std::string::npos);
  CHECK(head.find("Via: 1.0 before, 1.1 fly.io\r\n") != std::string::npos);
  CHECK(head.find("X-Forwarded-Proto: https\r\n") != std::string::npos);
  CHECK(head.find("X-Forwarded-Proto: http\r\n") == std::string::npos);
}

TEST_CASE("hop-by-hop fields stay behind; length, coding and upgrade are written anew") {
  auto plain = forwarded(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
      "Proxy-Connection: x\r\nUpgrade: h2c\r\n\r\n");
  for (auto name : {"Connection", "Keep-Alive", "TE:", "Upgrade"})
    CHECK(plain.find(name) == std::string::npos);
  auto length = forwarded("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\nContent-Length: 7\r\n\r\n");
  CHECK(length.find("Content-Length: 7\r\n") != std::string::npos);
  CHECK(length.find("007") == std::string::npos);
  auto upgrade = forwarded("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK(upgrade.find("Connection: Upgrade\r\nUpgrade: websocket\r\n") != std::string::npos);
}

TEST_CASE("the client gets the app's answer with the proxy's name on it") {
  http1::ResponseHead head;
  REQUIRE_FALSE(
      http1::parse_response_head("HTTP/1.1 201 Made\r\nServer: app\r\nVia: 1.1 inner\r\nX-A: "
                                 "b\r\nContent-Length: 3\r\nKeep-Alive: x\r\n\r\n",
                                 head));
  std::string out;
  append_response_head(out, head, AnswerFraming::content_length, ConnectionNote::close,
                       {.server = "Fly/flylocal (x)", .request_id = "id-ams"});
  CHECK(
      out ==
      "HTTP/1.1 201 Made\r\nX-A: b\r\ncontent-length: 3\r\nconnection: close\r\nserver: Fly/flylocal (x)\r\n"
      "via: 1.1 inner, 1.1 fly.io\r\nfly-request-id: id-ams\r\n\r\n");
}

TEST_CASE("the app's rules take fields away and put others in, and pristine leaves the proxy's own out") {
  http1::ResponseHead head;
  REQUIRE_FALSE(http1::parse_response_head(
      "HTTP/1.1 200 OK\r\nServer: app\r\nX-Old: 1\r\nx-old: 2\r\nContent-Length: 3\r\n\r\n", head));
  HttpOptions options;
  auto answer = [&](bool http2 = false) {
    std::string out;
    append_response_head(out, head, AnswerFraming::content_length, ConnectionNote::none,
                         {.server = "Fly/x", .request_id = "id-ams", .http2 = http2, .options = &options});
    return out;
  };
  CHECK(answer(true) == "HTTP/1.1 200 OK\r\nX-Old: 1\r\nx-old: 2\r\ncontent-length: 3\r\nserver: Fly/x\r\nvia: 2 fly.io\r\n"
                        "fly-request-id: id-ams\r\n\r\n");
  options.response_headers = {{"x-old", {}}, {"fly-request-id", {}}, {"x-many", {"a", "b"}}, {"server", {"mine"}},
                              {"content-length", {"9"}}};
  CHECK(answer() == "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nvia: 1.1 fly.io\r\nx-many: a\r\nx-many: b\r\nserver: mine\r\n\r\n");
  options.response_headers = {{"x-old", {"3"}}};
  options.pristine = true;
  CHECK(answer() == "HTTP/1.1 200 OK\r\nServer: app\r\ncontent-length: 3\r\nx-old: 3\r\n\r\n");
}

TEST_CASE("what the proxy compresses is said so: coding, Vary, a weak tag, and no ranges") {
  http1::ResponseHead head;
  auto answer = [&](std::string fields, std::string_view coding) {
    std::string bytes = "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
    REQUIRE_FALSE(http1::parse_response_head(bytes, head));
    std::string out;
    append_response_head(out, head, AnswerFraming::chunked, ConnectionNote::none,
                         {.server = "s", .request_id = "i", .coding = coding, .varies = true});
    return out.substr(0, out.find("transfer-encoding"));
  };
  CHECK(answer("ETag: \"x\"\r\nAccept-Ranges: bytes\r\nContent-Length: 999\r\n", "br") ==
        "HTTP/1.1 200 OK\r\nETag: W/\"x\"\r\ncontent-encoding: br\r\nvary: Accept-Encoding\r\n");
  CHECK(answer("ETag: W/\"x\"\r\nVary: Origin\r\n", "gzip") ==
        "HTTP/1.1 200 OK\r\nETag: W/\"x\"\r\nVary: Origin\r\ncontent-encoding: gzip\r\nvary: Accept-Encoding\r\n");
  CHECK(answer("ETag: \"x\"\r\nVary: Origin, accept-encoding\r\n", "") ==
        "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nVary: Origin, accept-encoding\r\n");
}

TEST_CASE("a request id is a ULID of the moment, a dash and the edge's region") {
  RandomBits random(1);
  RequestId id(std::chrono::system_clock::time_point(std::chrono::milliseconds(1469918176385)), "ams",
               random);
  CHECK(id.text().size() == 30);
  CHECK(id.text().substr(0, 10) == "01ARYZ6S41");
  CHECK(id.text().substr(26) == "-ams");
  CHECK(id.text().substr(0, 26).find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string::npos);
  RequestId other(std::chrono::system_clock::time_point(std::chrono::milliseconds(1469918176385)), "ams",
                  random);
  CHECK(id.text() != other.text());
  RequestId long_region(std::chrono::system_clock::now(), std::string(100, 'x'), random);
  CHECK(long_region.text().size() == 26 + 1 + 32);
}

TEST_CASE("a load ticket counts for as long as it exists") {
  auto load = std::make_shared<UpstreamLoad>();
  Dispatch dispatch;
  {
    LoadTicket ticket(load, dispatch);
    LoadTicket other(load, dispatch);
    CHECK(load->current == 2);
    ticket = std::move(other);
    CHECK(load->current == 1);
  }
  CHECK(load->current == 0);
  CHECK(load->total == 2);
}

TEST_CASE("host names are looked up without case, port or the root's dot") {
  RoutingSnapshot snapshot;
  snapshot.services.resize(2);
  PublishedPort port;
  port.backends.resize(2);
  port.routes = {{"hello.localhost", 1}};
  for (std::string host :
       {"hello.localhost", "HELLO.localhost:8080", "hello.localhost.", "hello.localhost.:80"}) {
    CAPTURE(host);
    CHECK(snapshot.find_backend(port, host) == &port.backends[1]);
  }
  CHECK(snapshot.find_backend(port, "other") == nullptr);
  CHECK(snapshot.find_backend(port, std::string(300, 'a')) == nullptr);
  port.default_backend = 0;
  CHECK(snapshot.find_backend(port, "other") == &port.backends[0]);
  CHECK(snapshot.find_backend(port, "[::1]:8080") == &port.backends[0]);
  port.default_backend = 9;
  CHECK(snapshot.find_backend(port, "other") == nullptr);
}

TEST_CASE("an error page comes in the format the client prefers, with everything quoted") {
  CHECK(choose_format("text/html,application/xhtml+xml,*/*;q=0.8") == PageFormat::html);
  CHECK(choose_format("application/json, text/html;q=0.5") == PageFormat::json);
  CHECK(choose_format("*/*") == PageFormat::text);
  ErrorPage page;
  page.status = 503;
  page.code = "PR03";
  page.message = "say \"<b>\"\n";
  page.app = "hello";
  page.port = 8080;
  page.attempts.push_back({"m1",
                           {asio::ip::make_address_v4("172.19.0.2"), 8080},
                           ECONNREFUSED,
                           {.code = "loopback-only",
                            .message = "listens on 127.0.0.1 only",
                            .fix = "Call listen(8080, \"0.0.0.0\")\nor set HOST",
                            .evidence = {"node, pid 7", "127.0.0.1:8080"}}});
  page.absent = {"m2 is stopped"};
  CHECK(render(page, PageFormat::text) ==
        "503 Service Unavailable PR03\n\nsay \"<b>\"\n\n"
        "app: hello, internal port 8080\n"
        "tried: machine m1 at 172.19.0.2:8080: Connection refused (PC01)\n"
        "  found: listens on 127.0.0.1 only\n"
        "  seen: node, pid 7\n"
        "  seen: 127.0.0.1:8080\n"
        "  fix: Call listen(8080, \"0.0.0.0\")\n"
        "       or set HOST\n"
        "  more: flylocal explain loopback-only\n"
        "not available: m2 is stopped\n"
        "more: flylocal explain PR03\n");
  std::string html = render(page, PageFormat::html);
  CHECK(html.find("say &quot;&lt;b&gt;&quot;") != std::string::npos);
  CHECK(html.find("<pre class=\"fix\">Call listen(8080, &quot;0.0.0.0&quot;)\nor set HOST</pre>") != std::string::npos);
  CHECK(html.find("prefers-color-scheme:dark") != std::string::npos);
  CHECK(html.find("http://") == std::string::npos);
  CHECK(html.find("https://") == std::string::npos);
  CHECK(
      render(page, PageFormat::json) ==
      R"({"status":503,"code":"PR03","error":"say \"<b>\"\u000a","fix":null,"app":"hello","port":8080,"attempts":[{"machine":"m1",)"
      R"("address":"172.19.0.2:8080","error":"Connection refused","code":"PC01","finding":{"code":"loopback-only",)"
      R"("message":"listens on 127.0.0.1 only","evidence":["node, pid 7","127.0.0.1:8080"],)"
      R"("fix":"Call listen(8080, \"0.0.0.0\")\u000aor set HOST","explain":"flylocal explain loopback-only"}}],)"
      R"("absent":["m2 is stopped"],"hosts":[],"explain":"flylocal explain PR03","request_id":""})"
      "\n");
}
