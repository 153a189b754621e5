#include "flylocal/report/conversations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "flylocal/report/host_refusal.hpp"

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;

/// For questions behind the first one: a program that has closed or refused is not slow.
constexpr auto kFurtherLimit = 2s;

/// The request as Fly Proxy would pass it on (platform facts 4.4).
HttpAsk fly_request(std::string host) {
  HttpAsk ask;
  ask.headers = {{"Fly-Client-IP", "172.16.0.1"}, {"X-Forwarded-For", "172.16.0.1"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Port", "443"}, {"X-Forwarded-Ssl", "on"}, {"Via", "1.1 fly.io"}};
  ask.host = std::move(host);
  return ask;
}

/// What the answer in HTTP/1.1 leaves open.
Task<> ask_further(const Origin& origin, asio::ip::tcp::endpoint target, HttpEvidence& evidence) {
  using Kind = HttpAnswer::Kind;
  const bool closed = evidence.asked.kind == Kind::kClosed;
  const bool refused = evidence.asked.kind == Kind::kAnswered && (may_refuse_host(evidence.asked.status) || find_host_refusal(evidence.asked));
  if (closed) evidence.takes_tls = co_await takes_tls(origin, target);
  if (evidence.takes_tls.value_or(false)) co_return;
  if (closed || refused) evidence.for_localhost = co_await ask_http(origin, target, "", fly_request("localhost"), kFurtherLimit);
  const bool may_want_line = closed || (refused && evidence.asked.status == 400);
  if (may_want_line) evidence.with_proxy_line = co_await ask_http(origin, target, proxy_protocol_header(), fly_request(evidence.host), kFurtherLimit);
}

}  // namespace

HttpAsk request_of_machine(std::string host) {
  HttpAsk ask;
  ask.host = std::move(host);
  return ask;
}

Task<HttpEvidence> converse(Origin origin, asio::ip::tcp::endpoint target, std::string host, TcpExpectation expected, std::chrono::milliseconds limit) {
  using Kind = HttpAnswer::Kind;
  HttpEvidence evidence;
  evidence.host = host;
  evidence.http1 = expected.http;
  if (expected.http) {
    evidence.asked = co_await ask_http(origin, target, "", fly_request(host), limit);
    co_await ask_further(origin, target, evidence);
  }
  if (!expected.http2) co_return evidence;
  evidence.http2 = co_await ask_http2(origin, target, limit);
  const Kind kind = evidence.http2->kind;
  // Some servers of HTTP/1.1 know the preface for what it is; others close, or answer without a head.
  if (expected.http || kind == Kind::kHttp2 || kind == Kind::kAnswered || kind == Kind::kTls || kind == Kind::kNoConnection) co_return evidence;
  if (kind == Kind::kClosed) evidence.takes_tls = co_await takes_tls(origin, target);
  if (!evidence.takes_tls.value_or(false)) evidence.asked = co_await ask_http(origin, target, "", fly_request(host), kFurtherLimit);
  co_return evidence;
}

Task<std::pair<HttpAnswer, HttpAnswer>> compare_proxy_line(Origin origin, asio::ip::tcp::endpoint target, std::string host) {
  HttpAnswer plain = co_await ask_http(origin, target, "", fly_request(host), kFurtherLimit);
  HttpAnswer with_line;
  if (plain.kind == HttpAnswer::Kind::kAnswered) with_line = co_await ask_http(origin, target, proxy_protocol_header(), fly_request(host), kFurtherLimit);
  co_return std::pair(plain, with_line);
}

Task<HttpAnswer> make_check(Origin origin, asio::ip::tcp::endpoint target, CheckExpectation check) {
  if (check.type == config::CheckType::kTcp) {
    HttpAnswer answer;
    answer.reach = co_await knock(origin, target);
    co_return answer;
  }
  HttpAsk ask{check.request.method, check.request.path, fmt::format("{}:{}", target.address().to_string(), target.port()), {}};
  for (const auto& [name, value] : check.request.headers) {
    constexpr std::string_view kHost = "host";
    const bool is_host = std::equal(name.begin(), name.end(), kHost.begin(), kHost.end(), [](char a, char b) { return (a | 0x20) == b; });
    if (is_host) ask.host = value;
    else ask.headers.emplace_back(name, value);
  }
  if (check.request.scheme == config::HttpScheme::kHttp) co_return co_await ask_http(origin, target, "", ask, check.timeout);
  HttpsAnswer secure = co_await ask_https(origin, target, check.request.tls_server_name.value_or(""), ask, check.timeout);
  if (secure.handshake_done && !secure.verified && !check.request.tls_skip_verify) {
    secure.answer.kind = HttpAnswer::Kind::kNotHttp;
    secure.answer.words = "a certificate that is not trusted; tls_skip_verify = true accepts it";
  }
  co_return secure.answer;
}

}  // namespace flylocal::report
