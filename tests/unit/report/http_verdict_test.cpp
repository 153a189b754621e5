#include "flylocal/report/http_verdict.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/report/answers.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;
using namespace std::chrono_literals;
using Kind = HttpAnswer::Kind;

namespace {

/// With what was asked afterwards.
HttpEvidence asked(HttpAnswer answer, std::optional<HttpAnswer> for_localhost, std::optional<bool> takes_tls = {}, std::optional<HttpAnswer> with_line = {}) {
  HttpEvidence seen = tests::asked(std::move(answer));
  seen.for_localhost = std::move(for_localhost);
  seen.takes_tls = takes_tls;
  seen.with_proxy_line = std::move(with_line);
  return seen;
}

}  // namespace

TEST_CASE("what a program answers to a request tells whether Fly Proxy is of use in front of it") {
  struct Case {
    const char* name;
    HttpEvidence seen;
    Severity severity;
    const char* code;
    std::vector<std::string> message;  ///< what it has to contain
  };
  const Severity ok = Severity::kOk, warning = Severity::kWarning, problem = Severity::kProblem;
  auto in_http2 = [](HttpAnswer http2, HttpAnswer http1 = {}, bool asks_http1 = false) {
    HttpEvidence seen = tests::asked(std::move(http1));
    seen.http1 = asks_http1;
    seen.http2 = std::move(http2);
    return seen;
  };
  auto with_bodies = [](const char* body) {
    HttpAnswer refused = answer(400);
    refused.body = body;
    return asked(refused, refused, false, refused);
  };
  HttpEvidence webpack_4 = asked(answer(200), answer(200));
  webpack_4.asked.body = "Invalid Host header";
  HttpEvidence in_queue = asked(other(Kind::kSilent));
  in_queue.waiting = 3;
  const Case cases[] = {
      {"200", asked(answer(200)), ok, "ok", {"200", "shop.fly.dev"}},
      {"404 of an API without a page", asked(answer(404)), ok, "ok", {"404"}},
      {"426 of a WebSocket server", asked(answer(426)), ok, "ok", {"426"}},
      {"401", asked(answer(401)), ok, "needs-credentials", {"401", "credentials"}},
      {"500", asked(answer(500)), warning, "server-error", {"500", "network is right"}},
      {"503", asked(answer(503)), warning, "server-error", {"503"}},
      {"a redirect to a page", asked(answer(302, "/login")), ok, "ok", {"302", "/login"}},
      {"a redirect to another host", asked(answer(301, "https://www.shop.com/")), ok, "ok", {"www.shop.com"}},
      {"a redirect to the page that was asked for", asked(answer(301, "https://shop.fly.dev/")), warning, "redirect-loop", {"https://shop.fly.dev/", "X-Forwarded-Proto"}},
      {"the same without a path", asked(answer(308, "https://shop.fly.dev")), warning, "redirect-loop", {"https://shop.fly.dev"}},
      {"a redirect into the site", asked(answer(302, "https://shop.fly.dev/login")), ok, "ok", {"/login"}},
      // The host is refused: Vite and Rails with 403, Django with 400.
      {"403, and 200 for localhost", asked(answer(403), answer(200)), warning, "host-refused", {"403", "shop.fly.dev", "200 for localhost"}},
      {"400, and 404 for localhost", asked(answer(400), answer(404), false, answer(400)), warning, "host-refused", {"400", "404 for localhost"}},
      {"421, and 200 for localhost", asked(answer(421), answer(200)), warning, "host-refused", {"421"}},
      {"403 for anybody", asked(answer(403), answer(403)), ok, "ok", {"403"}},
      {"403, and 400 for localhost", asked(answer(403), answer(400)), ok, "ok", {"403"}},
      {"403, and nothing for localhost", asked(answer(403), other(Kind::kClosed)), ok, "ok", {"403"}},
      // The PROXY protocol.
      {"closed, and answered behind a PROXY header", asked(other(Kind::kClosed), {}, false, answer(200)), problem, "proxy-protocol-missing", {"PROXY"}},
      {"closed, and an error behind a PROXY header", asked(other(Kind::kClosed), {}, false, answer(502)), problem, "proxy-protocol-missing", {"PROXY"}},
      {"400, and 200 behind a PROXY header", asked(answer(400), answer(400), false, answer(200)), problem, "proxy-protocol-missing", {"400", "200 behind"}},
      {"400, and 400 behind a PROXY header, too", asked(answer(400), answer(400), false, answer(400)), ok, "ok", {"400"}},
      // TLS.
      {"a TLS alert", asked(other(Kind::kTls)), problem, "speaks-tls", {"TLS", "plain HTTP"}},
      {"closed, and TLS is answered", asked(other(Kind::kClosed), {}, true), problem, "speaks-tls", {"TLS"}},
      // HTTP/2.
      {"gRPC", asked(other(Kind::kHttp2)), problem, "http2-only", {"HTTP/2 alone"}},
      {"gRPC with h2_backend", in_http2(other(Kind::kHttp2)), ok, "ok", {"HTTP/2"}},
      {"h2_backend, and both versions are spoken", in_http2(other(Kind::kHttp2), answer(200), true), ok, "ok", {"200"}},
      {"h2_backend on one port alone, and HTTP/2 alone is spoken", in_http2(other(Kind::kHttp2), other(Kind::kHttp2), true), problem, "http2-only", {}},
      {"h2_backend on one port alone, and HTTP/1.1 alone is spoken", in_http2(answer(400), answer(200), true), problem, "http1-only", {"400"}},
      {"h2_backend, and 505", in_http2(answer(505)), problem, "http1-only", {"505", "h2_backend"}},
      {"h2_backend, and HTTP/1.1 is answered afterwards", in_http2(other(Kind::kClosed), answer(200)), problem, "http1-only", {"200 in HTTP/1.1"}},
      {"the same of a server that answers with a page and no head", in_http2(other(Kind::kNotHttp, "<html>"), answer(404)), problem, "http1-only", {"404"}},
      {"h2_backend, and nothing is answered", in_http2(other(Kind::kClosed), other(Kind::kClosed)), problem, "closes-connection", {"h2_backend"}},
      {"h2_backend, and silence", in_http2(other(Kind::kSilent), other(Kind::kSilent)), problem, "no-answer", {"h2_backend"}},
      {"h2_backend, and another protocol", in_http2(other(Kind::kNotHttp, "-ERR"), other(Kind::kNotHttp)), problem, "not-http", {"-ERR"}},
      {"h2_backend, and TLS", in_http2(other(Kind::kTls)), problem, "speaks-tls", {"without TLS"}},
      {"h2_backend, not asked yet", in_http2(other(Kind::kNoConnection)), Severity::kPending, "no-answer", {}},
      // A host that is refused in words, wherever else it may be accepted.
      {"Django that knows its own domain", with_bodies("<h1>Bad Request (400)</h1><p></p>"), warning, "host-refused", {"400 for the host shop.fly.dev", "400 for localhost", "Bad Request (400)", "your own domain"}},
      {"Starlette that knows its own domain", with_bodies("Invalid host header"), warning, "host-refused", {"Invalid host header"}},
      {"an API that wants more than /", with_bodies("{\"error\":\"invalid request\"}"), ok, "ok", {"400"}},
      {"421 for anybody", asked(answer(421), answer(421)), warning, "host-refused", {"421 for localhost"}},
      {"webpack-dev-server with 200", webpack_4, warning, "host-refused", {"Invalid Host header", "refuses this host"}},
      // No use at all.
      {"Redis", asked(other(Kind::kNotHttp, "-ERR wrong number of arguments")), problem, "not-http", {"-ERR wrong number of arguments"}},
      {"closed", asked(other(Kind::kClosed), {}, false, other(Kind::kClosed)), problem, "closes-connection", {"closes"}},
      {"closed, and 200 for localhost", asked(other(Kind::kClosed), answer(200), false, other(Kind::kClosed)), warning, "host-refused", {"closes", "200 for localhost"}},
      {"silent", asked(other(Kind::kSilent)), problem, "no-answer", {"does not answer"}},
      {"silent, and others wait as well", in_queue, problem, "not-accepting", {"3 wait"}},
      {"the connection broke", asked(other(Kind::kNoConnection)), Severity::kPending, "no-answer", {"not asked yet"}},
  };
  for (const Case& c : cases) {
    const Verdict verdict = judge_http(c.seen);
    INFO(c.name << ": " << verdict.message);
    CHECK(verdict.code == c.code);
    CHECK(verdict.severity == c.severity);
    for (const std::string& part : c.message) CHECK_THAT(verdict.message, Catch::Contains(part));
  }
}

TEST_CASE("what Fly Proxy asks is answered in each version that it speaks") {
  HttpEvidence seen = asked(answer(200));
  CHECK(has_answered(seen));
  seen.http2 = answer(400);
  CHECK_FALSE(has_answered(seen));
  seen.http2 = other(Kind::kHttp2);
  CHECK(has_answered(seen));
  seen.asked = answer(503);
  CHECK_FALSE(has_answered(seen));
  seen.http1 = false;
  CHECK(has_answered(seen));
}

TEST_CASE("a host that is refused without a word is told by the program's log") {
  HttpEvidence seen = asked(answer(403), answer(403));
  seen.said = {"Started GET \"/\" for 172.16.0.1", "[ActionDispatch::HostAuthorization::DefaultResponseApp] Blocked hosts: shop.fly.dev", "Started GET \"/\""};
  const Verdict verdict = judge_http(seen);
  CHECK(verdict.code == "host-refused");
  CHECK_THAT(verdict.fix, Catch::StartsWith("Rails: config.hosts"));
  SECTION("of this host alone: checks are refused by the machine's address") {
    seen.said[1] = "[ActionDispatch::HostAuthorization::DefaultResponseApp] Blocked hosts: 172.19.0.2";
    CHECK(judge_http(seen).code == "ok");
  }
  SECTION("and not where the answer is good") {
    seen.asked = answer(200);
    CHECK(judge_http(seen).code == "ok");
  }
}

TEST_CASE("a host is refused if another one than localhost is accepted, too") {
  HttpEvidence seen = asked(answer(403), answer(200));
  seen.host = "shop.internal";
  seen.other_host = "shop.fly.dev";
  const Verdict verdict = judge_http(seen);
  CHECK(verdict.code == "host-refused");
  CHECK_THAT(verdict.message, Catch::Contains("403 for the host shop.internal") && Catch::Contains("200 for shop.fly.dev") && !Catch::Contains("localhost"));
}

TEST_CASE("a greeting that refuses the client is understood, and others are not") {
  using namespace std::string_literals;
  const auto redis = refusal_in_greeting("-DENIED Redis is running in protected mode because protected mode is enabled");
  REQUIRE(redis);
  CHECK_THAT(*redis, Catch::Contains("protected mode"));
  // A MySQL packet: three octets of length, a number, then the payload.
  CHECK(refusal_in_greeting("\x4b\x00\x00\x00\xff\x6a\x04Host '172.16.0.2' is not allowed to connect to this MariaDB server"s));
  for (const std::string& greeting : {""s, "\x4a\x00\x00\x00\x0a" "5.5.5-10.11.6-MariaDB\x00"s, "+OK\r\n"s, "SSH-2.0-OpenSSH_9.2\r\n"s, "220 mail ESMTP\r\n"s, "\xff"s,
                                      "\x1a\x00\x00\x00\xff\x10\x04" "08S01Too many connections"s, "host is not allowed to connect"s})
    CHECK_FALSE(refusal_in_greeting(greeting));
}

TEST_CASE("a PROXY header is unexpected where the answer without it is good and with it is not") {
  for (const HttpAnswer& with_line : {answer(400), other(Kind::kClosed), other(Kind::kSilent), other(Kind::kNotHttp)}) {
    INFO(with_line.status);
    const auto verdict = judge_proxy_protocol(answer(200), with_line);
    REQUIRE(verdict);
    CHECK(verdict->code == "proxy-protocol-unexpected");
    CHECK(verdict->severity == Severity::kProblem);
    CHECK_THAT(verdict->message, Catch::Contains("200 without and " + std::string(with_line.status == 400 ? "400" : "nothing") + " with"));
  }
  CHECK_FALSE(judge_proxy_protocol(answer(200), answer(200)));
  CHECK_FALSE(judge_proxy_protocol(answer(200), answer(404)));
  // It needs the header, or speaks another protocol.
  CHECK_FALSE(judge_proxy_protocol(other(Kind::kClosed), answer(200)));
  CHECK_FALSE(judge_proxy_protocol(answer(400), answer(200)));
  CHECK_FALSE(judge_proxy_protocol(other(Kind::kNotHttp), other(Kind::kNotHttp)));
}

TEST_CASE("a check passes with 2xx and nothing else (platform facts 4.7)") {
  struct Case {
    HttpAnswer answer;
    Severity severity;
    const char* code;
    const char* message;  ///< what it has to contain
  };
  HttpAnswer unmade;
  const Case cases[] = {
      {answer(200), Severity::kOk, "ok", "answers 200"},
      {answer(204), Severity::kOk, "ok", "answers 204"},
      {answer(299), Severity::kOk, "ok", "answers 299"},
      {answer(199), Severity::kProblem, "check-not-2xx", "answers 199"},
      {answer(300, "/up"), Severity::kProblem, "check-redirects", "/up"},
      {answer(301, "https://172.19.0.2/up"), Severity::kProblem, "check-redirects", "https://172.19.0.2/up"},
      {answer(400), Severity::kProblem, "check-not-2xx", "answers 400"},
      {answer(503), Severity::kProblem, "check-not-2xx", "answers 503"},
      {other(Kind::kSilent), Severity::kProblem, "check-timeout", "1500 ms"},
      {other(Kind::kTls), Severity::kProblem, "check-not-2xx", "TLS"},
      {other(Kind::kNotHttp, "+OK"), Severity::kProblem, "check-not-2xx", "+OK"},
      {other(Kind::kClosed), Severity::kProblem, "check-not-2xx", "closes"},
      {other(Kind::kHttp2), Severity::kProblem, "check-not-2xx", "type tcp"},
      {other(Kind::kNoConnection), Severity::kProblem, "check-unreachable", "cannot connect"},
      {unmade, Severity::kPending, "check-unreachable", "not made yet"},
  };
  flylocal::config::CheckRequest request;
  request.method = "HEAD";
  request.path = "/up";
  for (const Case& c : cases) {
    const Verdict verdict = judge_http_check(c.answer, request, 1500ms);
    INFO(verdict.message);
    CHECK(verdict.code == c.code);
    CHECK(verdict.severity == c.severity);
    CHECK_THAT(verdict.message, Catch::Contains(c.message));
    if (verdict.severity != Severity::kPending) CHECK_THAT(verdict.message, Catch::StartsWith("HEAD /up "));
  }
}
