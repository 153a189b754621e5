#include "flylocal/report/machine_results.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "flylocal/report/advice.hpp"
#include "flylocal/report/udp_verdict.hpp"

namespace flylocal::report {
namespace {

using netns::BoundSocket;

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

class Judging {
 public:
  explicit Judging(const MachineEvidence& evidence) : seen_(evidence), expected_(*evidence.expectations) {}

  std::vector<Result> run() {
    for (const TcpExpectation& expected : expected_.tcp) judge_expected_port(expected);
    for (std::uint16_t port : expected_.udp) judge_udp_port(port);
    for (const auto& [port, outcomes] : seen_.tcp)
      if (!is_expected(port)) judge_side_port(port, outcomes);
    if (results_.empty()) judge_without_ports();
    judge_checks();
    judge_start_time();
    results_.insert(results_.end(), expected_.of_file.begin(), expected_.of_file.end());
    for (const std::string& name : seen_.asked_for_ipv4_only)
      add(Path::kDns, 0, name, false, Reach::kUntried,
          {Severity::kWarning, "asks-ipv4-only", fmt::format("a process of the machine asked for IPv4 addresses of {} and never for IPv6 ones, and .internal names have no others; "
                                                               "it may be the app, or a command that somebody typed there, such as dig", name)});
    return std::move(results_);
  }

 private:
  Result& add(Path path, std::uint16_t port, std::string target, bool expected, Reach reach, Verdict verdict) {
    Result& result = results_.emplace_back();
    result.path = path;
    result.port = port;
    result.target = std::move(target);
    result.expected = expected;
    result.reach = reach;
    set(result, std::move(verdict));
    return result;
  }
  void set(Result& result, Verdict verdict) {
    result.severity = verdict.severity;
    result.code = std::move(verdict.code);
    result.message = std::move(verdict.message);
    result.fix = result.severity == Severity::kOk ? "" : !verdict.fix.empty() ? std::move(verdict.fix) : advise(seen_.view, program_on(seen_.view, result.port), result.code, result.port);
  }
  void add_sockets(Result& result, BoundSocket::Protocol protocol) {
    for (const BoundSocket& socket : sockets_on(seen_.view, protocol, result.port)) {
      const netns::GuestProcess* owner = netns::find_owner(seen_.view.processes, socket);
      result.evidence.push_back(fmt::format("{} {}{}{}, {}", protocol == BoundSocket::Protocol::kTcp ? "tcp" : "udp", endpoint(socket),
                                            socket.address.is_v6() && socket.address.is_unspecified() ? (socket.v6_only ? ", IPV6_V6ONLY on" : ", IPV6_V6ONLY off") : "",
                                            protocol == BoundSocket::Protocol::kTcp ? fmt::format(", {} of {} wait", socket.queued, socket.backlog) : "",
                                            owner ? fmt::format("{} (pid {}): {}", owner->name, owner->pid, joined(owner->command_line)) : "its process is gone"));
    }
  }
  /// A port without a listener is not dialled, as its refusal tells nothing new.
  void add_attempt(Result& result, std::string_view from, Reach reach) const {
    if (reach != Reach::kUntried && listens(result.port)) result.evidence.push_back(fmt::format("connect {} to {}: {}", from, result.target, name(reach)));
  }
  static void add_answer(Result& result, std::string_view what, const HttpAnswer& answer) {
    using Kind = HttpAnswer::Kind;
    result.evidence.push_back(fmt::format("{}: {}", what,
                                          answer.kind == Kind::kAnswered || answer.kind == Kind::kNotHttp ? answer.words
                                          : answer.kind == Kind::kTls    ? "it wants TLS"
                                          : answer.kind == Kind::kHttp2  ? "HTTP/2"
                                          : answer.kind == Kind::kClosed ? "closed without an answer"
                                          : answer.kind == Kind::kSilent ? "no answer"
                                                                         : "no connection"));
  }

  bool is_expected(std::uint16_t port) const {
    return std::any_of(expected_.tcp.begin(), expected_.tcp.end(), [&](auto& one) { return one.port == port; });
  }
  bool listens(std::uint16_t port) const { return !sockets_on(seen_.view, BoundSocket::Protocol::kTcp, port).empty(); }
  std::string ipv4_target(std::uint16_t port) const { return fmt::format("{}:{}", seen_.view.addresses.private_ipv4.to_string(), port); }
  std::string six_pn_target(std::uint16_t port) const { return fmt::format("[{}]:{}", seen_.view.addresses.six_pn.to_string(), port); }

  /// How a path to `port` ended. Without a listener the kernel refuses, and nobody has to try that.
  Reach reach_of(std::optional<Reach> tried, std::uint16_t port) const {
    if (seen_.view.not_running) return Reach::kUntried;
    if (!listens(port)) return Reach::kRefused;
    // A queue that runs full or gets room again changes the sockets' traits, so that the port is tried anew.
    return tried.value_or(Reach::kUntried);
  }

  void judge_expected_port(const TcpExpectation& expected) {
    const auto found = seen_.tcp.find(expected.port);
    const TcpOutcomes nothing_tried;
    const TcpOutcomes& tried = found == seen_.tcp.end() ? nothing_tried : found->second;
    if (expected.proxy) {
      const Reach reach = reach_of(tried.proxy, expected.port);
      Result& proxy = add(Path::kProxy, expected.port, ipv4_target(expected.port), true, reach, judge_tcp(seen_.view, Path::kProxy, expected.port, reach, true));
      add_attempt(proxy, "from Fly Proxy's side", reach);
      add_sockets(proxy, BoundSocket::Protocol::kTcp);
      if (reach == Reach::kReachable) judge_conversation(expected, tried, proxy);
    }
    judge_six_pn(expected, tried);
    if (expected.proxy) judge_published(expected, tried);
    if (auto split = split_port(seen_.view, expected.port))
      add_sockets(add(Path::kProxy, expected.port, ipv4_target(expected.port), false, Reach::kReachable, {Severity::kWarning, "split-port", *split}),
                  BoundSocket::Protocol::kTcp);
  }

  /// What the program says once it is connected to.
  void judge_conversation(const TcpExpectation& expected, const TcpOutcomes& tried, Result& proxy) {
    const bool unasked = seen_.http_probe && (((expected.http || expected.http2) && !tried.http) || (expected.proxy_protocol && !tried.proxy_line) ||
                                              (expected.raw_https && !tried.takes_tls));
    if (unasked) {
      set(proxy, {Severity::kPending, "no-answer", proxy.message + "; not asked yet"});
      return;
    }
    if (tried.http) {
      HttpEvidence http = *tried.http;
      for (const BoundSocket& socket : sockets_on(seen_.view, BoundSocket::Protocol::kTcp, expected.port)) http.waiting += socket.queued;
      http.said = seen_.view.said;
      if (http.http2) add_answer(proxy, "a client that speaks HTTP/2", *http.http2);
      if (http.http1 || http.asked.reach != Reach::kUntried) add_answer(proxy, fmt::format("GET / for {}", http.host), http.asked);
      if (http.for_localhost) add_answer(proxy, "GET / for localhost", *http.for_localhost);
      if (http.takes_tls) proxy.evidence.push_back(*http.takes_tls ? "a TLS client is answered with TLS" : "a TLS client is not answered with TLS");
      Verdict verdict = judge_http(http);
      const std::string who = proxy.message;
      if (verdict.severity == Severity::kOk) verdict.message = fmt::format("{}; {}", who, verdict.message);
      set(proxy, std::move(verdict));
    } else if (!expected.http) {
      judge_greeting(proxy, tried.greeting);
    }
    if (tried.proxy_line) {
      if (auto verdict = judge_proxy_protocol(tried.proxy_line->first, tried.proxy_line->second)) set(proxy, *verdict);
    }
    // One that speaks first is no web server: SSH is served on 443, too.
    const bool speaks_first = tried.greeting && !tried.greeting->empty();
    if (expected.raw_https && tried.takes_tls == false && !speaks_first)
      set(proxy, {Severity::kProblem, "tls-passed-through",
                  "port 443 has no tls handler, so that the clients' TLS reaches the program, and the program does not speak it"});
  }

  /// What the program says unasked may be that it refuses the client.
  void judge_greeting(Result& result, const std::optional<std::string>& greeting) {
    if (!greeting) {
      set(result, {Severity::kPending, "no-answer", result.message + "; not listened to yet"});
      return;
    }
    if (auto refusal = refusal_in_greeting(*greeting)) set(result, {Severity::kWarning, "client-refused", "the network is right; " + *refusal});
  }

  void judge_six_pn(const TcpExpectation& expected, const TcpOutcomes& tried) {
    const Reach reach = reach_of(tried.six_pn, expected.port);
    const bool required = expected.six_pn || !tried.refused_to.empty();
    Result& six_pn = add(Path::k6pn, expected.port, six_pn_target(expected.port), required, reach, judge_tcp(seen_.view, Path::k6pn, expected.port, reach, required));
    add_attempt(six_pn, "from another machine's side", reach);
    if (!tried.refused_to.empty() && reach != Reach::kReachable) six_pn.evidence.push_back(fmt::format("{} dialled it and was refused", tried.refused_to));
    if (!expected.proxy) add_sockets(six_pn, BoundSocket::Protocol::kTcp);
    if (reach == Reach::kReachable && !expected.http) judge_greeting(six_pn, tried.six_pn_greeting);
    if (reach != Reach::kReachable || !expected.http || !tried.http || tried.http->asked.kind != HttpAnswer::Kind::kAnswered || tried.http->asked.status >= 500) return;
    if (!tried.six_pn_http) {
      set(six_pn, {Severity::kPending, "no-answer", six_pn.message + "; not asked yet"});
      return;
    }
    HttpEvidence inside = *tried.http;
    inside.host = seen_.app + ".internal";
    inside.asked = *tried.six_pn_http;
    inside.http2.reset();
    inside.said = seen_.view.said;
    if (!inside.for_localhost) {
      inside.other_host = tried.http->host;
      inside.for_localhost = tried.http->asked;
    }
    add_answer(six_pn, "GET / for " + inside.host, inside.asked);
    Verdict verdict = judge_http(inside);
    // Everything but a refused host is the same as over IPv4, and is said there.
    if (verdict.code == "host-refused") set(six_pn, {required ? Severity::kWarning : Severity::kNote, verdict.code, verdict.message, verdict.fix});
  }

  void judge_published(const TcpExpectation& expected, const TcpOutcomes& tried) {
    if (tried.published_as.empty() || reach_of(tried.proxy, expected.port) != Reach::kReachable) return;
    if (expected.http && tried.http) {
      if (tried.http->asked.kind != HttpAnswer::Kind::kAnswered) return;
      if (!tried.published_http) {
        add(Path::kPublished, expected.port, tried.published_as, true, Reach::kUntried, {Severity::kPending, "published-unreachable", "not asked yet"});
        return;
      }
      const HttpAnswer& answer = *tried.published_http;
      // Fly Proxy's own 502 and 503 say that it did not come through, where the program itself says something else.
      const bool through = answer.kind == HttpAnswer::Kind::kAnswered && (answer.status < 502 || answer.status > 504 || tried.http->asked.status >= 500);
      Result& result = add(Path::kPublished, expected.port, tried.published_as, true, answer.reach,
                           through ? Verdict{Severity::kOk, "ok", fmt::format("answers {} by way of Fly Proxy", answer.status)}
                                   : Verdict{Severity::kProblem, "published-unreachable", "the program answers, and by way of Fly Proxy it does not"});
      add_answer(result, "GET /", answer);
      return;
    }
    if (expected.http && seen_.http_probe) return;  // first it has to answer
    if (!tried.published) {
      add(Path::kPublished, expected.port, tried.published_as, true, Reach::kUntried, {Severity::kPending, "published-unreachable", "not tried yet"});
      return;
    }
    const bool through = *tried.published == Reach::kReachable;
    add(Path::kPublished, expected.port, tried.published_as, true, *tried.published,
        through ? Verdict{Severity::kOk, "ok", "takes connections"}
                : Verdict{Severity::kProblem, "published-unreachable", "the program takes connections, and the published port does not"});
  }

  /// A port that no service names: other machines may want it.
  void judge_side_port(std::uint16_t port, const TcpOutcomes& tried) {
    const Reach reach = reach_of(tried.six_pn, port);
    // Without a service 6PN is the only way in.
    const bool required = !tried.refused_to.empty() || (!expected_.app_has_services && expected_.tcp.empty() && !is_only_for_itself(port));
    Result& result = add(Path::k6pn, port, six_pn_target(port), required, reach, judge_tcp(seen_.view, Path::k6pn, port, reach, required));
    add_attempt(result, "from another machine's side", reach);
    if (!tried.refused_to.empty() && reach != Reach::kReachable) result.evidence.push_back(fmt::format("{} dialled it and was refused", tried.refused_to));
    add_sockets(result, BoundSocket::Protocol::kTcp);
    if (reach != Reach::kReachable) return;
    const auto on_port = sockets_on(seen_.view, BoundSocket::Protocol::kTcp, port);
    if (std::none_of(on_port.begin(), on_port.end(), [&](auto& s) { return is_debug_port(seen_.view, s); }))
      judge_greeting(result, tried.six_pn_greeting);
    else
      set(result, {Severity::kNote, "debug-port-open", fmt::format("{}, and every machine of the network can reach it: port {} is a debugger's or an administrator's as a rule",
                                                                  result.message, port)});
  }

  /// Whether a listener on loopback is likely meant to be there: another port of the machine takes what comes from outside.
  bool is_only_for_itself(std::uint16_t port) const {
    auto outside = [&](const BoundSocket& s) { return s.protocol == BoundSocket::Protocol::kTcp && scope_of(s, seen_.view.addresses) != Scope::kLoopback; };
    const auto on_port = sockets_on(seen_.view, BoundSocket::Protocol::kTcp, port);
    if (std::all_of(on_port.begin(), on_port.end(), [&](auto& s) { return is_side_door(seen_.view, s); })) return true;
    if (std::any_of(on_port.begin(), on_port.end(), outside)) return false;
    return std::any_of(seen_.view.sockets.begin(), seen_.view.sockets.end(), outside);
  }

  void judge_udp_port(std::uint16_t port) {
    const auto found = seen_.udp.find(port);
    const UdpAnswer answer = found == seen_.udp.end() ? UdpAnswer{} : found->second;
    const Verdict verdict = judge_udp(seen_.view, port, answer);
    const bool right = answer.source && answer.source->address() == seen_.view.addresses.global_services;
    // Without a socket there the kernel refuses.
    const bool refused = !seen_.view.not_running && (verdict.severity == Severity::kProblem || verdict.code == "udp-not-listening");
    const Reach reach = right ? Reach::kReachable : refused ? Reach::kRefused : Reach::kUntried;
    Result& result = add(Path::kUdp, port, fmt::format("{}:{}", seen_.view.addresses.global_services.to_string(), port), true, reach, verdict);
    if (answer.sent)
      result.evidence.push_back(fmt::format("datagram to {}: {}", result.target, answer.source ? "answered from " + answer.source->address().to_string() : "not answered"));
    add_sockets(result, BoundSocket::Protocol::kUdp);
  }

  void judge_without_ports() {
    Verdict verdict{Severity::kOk, "running", "the program runs; its group has no service"};
    if (seen_.finished_well) verdict.message = "the program has done its work and ended with exit code 0; its group has no service";
    else if (seen_.view.not_running) verdict = {Severity::kProblem, "not-running", *seen_.view.not_running};
    add(Path::k6pn, 0, "", true, Reach::kUntried, std::move(verdict));
  }

  void judge_checks() {
    for (std::size_t i = 0; i < expected_.checks.size(); ++i) {
      const CheckExpectation& check = expected_.checks[i];
      const HttpAnswer answer = i < seen_.checks.size() && seen_.checks[i] ? *seen_.checks[i] : HttpAnswer{};
      const bool is_http = check.type == config::CheckType::kHttp;
      const std::string target = is_http ? fmt::format("{} {} of port {}, {}", check.request.method, check.request.path, check.port, check.name)
                                         : fmt::format("connect to port {}, {}", check.port, check.name);
      Verdict verdict;
      Reach reach = answer.reach;
      if (seen_.view.not_running || !listens(check.port)) {
        verdict = judge_tcp(seen_.view, Path::kProxy, check.port, Reach::kRefused, true);
        if (verdict.severity == Severity::kProblem && !seen_.view.not_running) verdict.code = "check-unreachable";
        reach = seen_.view.not_running ? Reach::kUntried : Reach::kRefused;
      } else if (is_http && !seen_.http_probe) {
        continue;  // nothing but a connect is allowed, which the proxy's path is judged by
      } else if (is_http) {
        verdict = judge_http_check(answer, check.request, check.timeout);
      } else if (answer.reach == Reach::kUntried) {
        verdict = {Severity::kPending, "check-unreachable", "not made yet"};
      } else {
        verdict = answer.reach == Reach::kReachable ? Verdict{Severity::kOk, "ok", "takes the connection"}
                                                    : Verdict{Severity::kProblem, "check-unreachable", fmt::format("the connection is {}", name(answer.reach))};
      }
      Result& result = add(Path::kCheck, check.port, target, true, reach, std::move(verdict));
      if (is_http && answer.reach == Reach::kReachable) add_answer(result, fmt::format("{} {}", check.request.method, check.request.path), answer);
    }
  }

  void judge_start_time() {
    if (!seen_.listened_after || expected_.checks.empty() || *seen_.listened_after <= expected_.grace_period) return;
    Result& result = add(Path::kCheck, 0, "grace_period", false, Reach::kUntried,
                         {Severity::kNote, "slow-start", fmt::format("the program first listened {:.1f} s after its start, and its checks wait {:.1f} s before the first one counts",
                                                                     std::chrono::duration<double>(*seen_.listened_after).count(), std::chrono::duration<double>(expected_.grace_period).count())});
    result.fix = fmt::format("fly.toml: grace_period = \"{}s\" in the checks", std::chrono::ceil<std::chrono::seconds>(*seen_.listened_after * 2).count());
  }

  const MachineEvidence& seen_;
  const Expectations& expected_;
  std::vector<Result> results_;
};

}  // namespace

std::vector<Result> judge_machine(const MachineEvidence& evidence) { return Judging(evidence).run(); }

}  // namespace flylocal::report
