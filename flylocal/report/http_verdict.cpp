#include "flylocal/report/http_verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "flylocal/report/host_refusal.hpp"

namespace flylocal::report {
namespace {

using Kind = HttpAnswer::Kind;

bool is_redirect(int status) { return status >= 300 && status < 400; }

/// Whether the answer turns the host down, as far as it tells.
bool turns_down(const HttpAnswer& answer) {
  return answer.kind == Kind::kAnswered && (may_refuse_host(answer.status) || find_host_refusal(answer));
}

/// A program that refuses the host in words. Other hosts may be refused as well: it may know its own domain only.
std::optional<Verdict> judge_refusal(const HttpEvidence& evidence, const std::string& said) {
  std::optional<HostRefusal> refusal = find_host_refusal(evidence.asked);
  if (!refusal && may_refuse_host(evidence.asked.status)) refusal = find_host_refusal(evidence.said, evidence.host);
  if (!refusal) return std::nullopt;
  const bool others_too = evidence.for_localhost && turns_down(*evidence.for_localhost);
  return Verdict{Severity::kWarning, "host-refused",
                 fmt::format("the network is right; the program {}{}, and says: {}; it refuses {}", said,
                             others_too ? fmt::format(" and {} for {}", evidence.for_localhost->status, evidence.other_host) : "", refusal->words,
                             others_too ? "hosts that it does not know, and may accept your own domain" : "this host"),
                 std::string(refusal->fix)};
}

Verdict judge_answered(const HttpEvidence& evidence) {
  const int status = evidence.asked.status;
  const std::string said = fmt::format("answers {} for the host {}", status, evidence.host);
  if (evidence.with_proxy_line && evidence.with_proxy_line->kind == Kind::kAnswered && evidence.with_proxy_line->status < 400)
    return {Severity::kProblem, "proxy-protocol-missing", fmt::format("the program {}, and {} behind a PROXY protocol header: it waits for one", said,
                                                                      evidence.with_proxy_line->status)};
  if (may_refuse_host(status) && evidence.for_localhost && evidence.for_localhost->kind == Kind::kAnswered &&
      !may_refuse_host(evidence.for_localhost->status))
    return {Severity::kWarning, "host-refused", fmt::format("the network is right; the program {} and {} for {}: it refuses this host", said,
                                                            evidence.for_localhost->status, evidence.other_host)};
  if (auto refusal = judge_refusal(evidence, said)) return *refusal;
  if (status >= 500) return {Severity::kWarning, "server-error", fmt::format("the network is right; the program {}", said)};
  if (status == 401 || status == 407) return {Severity::kOk, "needs-credentials", fmt::format("{}: it asks for credentials", said)};
  if (is_redirect(status)) {
    // It was told that the client came by https, so that this is the way round for ever.
    if (evidence.asked.location == "https://" + evidence.host || evidence.asked.location == "https://" + evidence.host + "/")
      return {Severity::kWarning, "redirect-loop",
              fmt::format("the network is right; the program redirects to {} although X-Forwarded-Proto says https", evidence.asked.location)};
    return {Severity::kOk, "ok", fmt::format("{}, a redirect to {}", said, evidence.asked.location)};
  }
  return {Severity::kOk, "ok", said};
}

/// What the program makes of requests in HTTP/1.1.
Verdict judge_http1(const HttpEvidence& evidence) {
  if (evidence.takes_tls.value_or(false) || evidence.asked.kind == Kind::kTls)
    return {Severity::kProblem, "speaks-tls", "the program wants TLS on this port, and Fly Proxy speaks plain HTTP to it"};
  switch (evidence.asked.kind) {
    case Kind::kAnswered: return judge_answered(evidence);
    case Kind::kNotHttp:
      return {Severity::kProblem, "not-http", fmt::format("the program answers a request with what is no HTTP: {}", evidence.asked.words)};
    case Kind::kHttp2:
      return {Severity::kProblem, "http2-only", "the program speaks HTTP/2 alone, as servers of gRPC do, and Fly Proxy speaks HTTP/1.1 to it"};
    case Kind::kTls: break;
    case Kind::kClosed:
      if (evidence.with_proxy_line && evidence.with_proxy_line->kind == Kind::kAnswered)
        return {Severity::kProblem, "proxy-protocol-missing", "the program closes the connection, and answers behind a PROXY protocol header: it waits for one"};
      if (evidence.for_localhost && evidence.for_localhost->kind == Kind::kAnswered)
        return {Severity::kWarning, "host-refused", fmt::format("the network is right; the program closes the connection for the host {} and answers {} for {}: it refuses this host",
                                                                evidence.host, evidence.for_localhost->status, evidence.other_host)};
      return {Severity::kProblem, "closes-connection", "the program takes the connection and closes it without an answer"};
    case Kind::kSilent:
      if (evidence.waiting > 0)
        return {Severity::kProblem, "not-accepting", fmt::format("the kernel took the connection, and the program has not accepted it ({} wait)", evidence.waiting)};
      return {Severity::kProblem, "no-answer", "the program takes the connection and does not answer the request"};
    case Kind::kNoConnection: break;
  }
  return {Severity::kPending, "no-answer", "not asked yet"};
}

/// What it makes of HTTP/2, which fly.toml has Fly Proxy speak.
Verdict judge_http2(const HttpEvidence& evidence) {
  constexpr std::string_view kSpoken = "h2_backend has Fly Proxy speak HTTP/2 to it";
  const HttpAnswer& http2 = *evidence.http2;
  if (evidence.takes_tls.value_or(false) || http2.kind == Kind::kTls)
    return {Severity::kProblem, "speaks-tls", "the program wants TLS on this port, and Fly Proxy speaks HTTP/2 without TLS to it"};
  if (http2.kind == Kind::kAnswered)
    return {Severity::kProblem, "http1-only", fmt::format("the program answers HTTP/2 with {} of HTTP/1.1, and {}", http2.status, kSpoken)};
  if (http2.kind != Kind::kHttp2 && evidence.asked.kind == Kind::kAnswered)
    return {Severity::kProblem, "http1-only", fmt::format("the program answers {} in HTTP/1.1 and does not understand HTTP/2, and {}", evidence.asked.status, kSpoken)};
  switch (http2.kind) {
    case Kind::kHttp2: return {Severity::kOk, "ok", "answers in HTTP/2"};
    case Kind::kNotHttp: return {Severity::kProblem, "not-http", fmt::format("the program answers HTTP/2 with what is no HTTP: {}", http2.words)};
    case Kind::kClosed: return {Severity::kProblem, "closes-connection", fmt::format("the program closes the connection without an answer, and {}", kSpoken)};
    case Kind::kSilent:
      if (evidence.waiting > 0)
        return {Severity::kProblem, "not-accepting", fmt::format("the kernel took the connection, and the program has not accepted it ({} wait)", evidence.waiting)};
      return {Severity::kProblem, "no-answer", fmt::format("the program takes the connection and does not answer, and {}", kSpoken)};
    case Kind::kAnswered:
    case Kind::kTls:
    case Kind::kNoConnection: break;
  }
  return {Severity::kPending, "no-answer", "not asked yet"};
}

}  // namespace

bool has_answered(const HttpEvidence& evidence) {
  const bool in_http1 = evidence.asked.kind == Kind::kAnswered && evidence.asked.status < 500;
  return (in_http1 || !evidence.http1) && (!evidence.http2 || evidence.http2->kind == Kind::kHttp2);
}

Verdict judge_http(const HttpEvidence& evidence) {
  if (!evidence.http2) return judge_http1(evidence);
  Verdict http2 = judge_http2(evidence);
  if (!evidence.http1) return http2;
  Verdict http1 = judge_http1(evidence);
  return http1.severity == Severity::kProblem || http2.severity == Severity::kOk ? http1 : http2;
}

std::optional<std::string> refusal_in_greeting(std::string_view greeting) {
  if (greeting.starts_with("-DENIED")) return "Redis answers -DENIED: its protected mode takes clients of this machine only";
  // MySQL's protocol: a packet's payload begins behind four octets; 0xff is an error.
  constexpr std::size_t kPayload = 4;
  if (greeting.size() > kPayload && greeting[kPayload] == '\xff' && greeting.find("not allowed to connect") != std::string_view::npos)
    return "the server answers that this host is not allowed to connect to it";
  return std::nullopt;
}

std::optional<Verdict> judge_proxy_protocol(const HttpAnswer& plain, const HttpAnswer& with_line) {
  if (plain.kind != Kind::kAnswered || plain.status == 400) return std::nullopt;
  const bool understood = with_line.kind == Kind::kAnswered && with_line.status != 400;
  if (understood) return std::nullopt;
  return Verdict{Severity::kProblem, "proxy-protocol-unexpected",
                 fmt::format("the proxy_proto handler sends a PROXY header first, and the program does not understand it: it answers {} without and {} with",
                             plain.status, with_line.kind == Kind::kAnswered ? std::to_string(with_line.status) : "nothing")};
}

Verdict judge_http_check(const HttpAnswer& answer, const config::CheckRequest& request, std::chrono::milliseconds time_limit) {
  const std::string what = fmt::format("{} {}", request.method, request.path);
  auto problem = [&](const char* code, std::string why) { return Verdict{Severity::kProblem, code, fmt::format("{} {}", what, why)}; };
  switch (answer.kind) {
    case Kind::kAnswered:
      if (answer.status >= 200 && answer.status < 300) return {Severity::kOk, "ok", fmt::format("{} answers {}", what, answer.status)};
      if (is_redirect(answer.status))
        return problem("check-redirects", fmt::format("answers {}, a redirect to {}, which a check does not follow", answer.status, answer.location));
      return problem("check-not-2xx", fmt::format("answers {}, and a check passes with 2xx only", answer.status));
    case Kind::kSilent: return problem("check-timeout", fmt::format("is not answered within its timeout of {} ms", time_limit.count()));
    case Kind::kTls: return problem("check-not-2xx", "meets a program that wants TLS; protocol = \"https\" makes the check speak it");
    case Kind::kNotHttp: return problem("check-not-2xx", fmt::format("is answered with what is no HTTP: {}", answer.words));
    case Kind::kHttp2: return problem("check-not-2xx", "is answered in HTTP/2, which a check does not speak; one of type tcp only connects");
    case Kind::kClosed: return problem("check-not-2xx", "is not answered: the program closes the connection");
    case Kind::kNoConnection:
      return answer.reach == Reach::kUntried ? Verdict{Severity::kPending, "check-unreachable", "not made yet"}
                                             : problem("check-unreachable", "cannot connect");
  }
  return {};
}

}  // namespace flylocal::report
