#include <catch2/catch.hpp>
#include <set>

#include "flylocal/report/explanation.hpp"
#include "flylocal/report/machine_results.hpp"
#include "tests/unit/report/machine.hpp"

// Judges a machine for each of many thousand combinations of what can be seen of it. What holds for all verdicts is checked
// here, so that a new verdict cannot be forgotten in the explanations.

using namespace flylocal::report;
using namespace flylocal::report::tests;
using Kind = HttpAnswer::Kind;

namespace {

constexpr Reach kReaches[] = {Reach::kUntried, Reach::kReachable, Reach::kRefused, Reach::kTimedOut};
constexpr Kind kKinds[] = {Kind::kAnswered, Kind::kNotHttp, Kind::kTls, Kind::kHttp2, Kind::kClosed, Kind::kSilent, Kind::kNoConnection};

/// What holds for each result, and the codes that were met.
class Checked {
 public:
  void judge(const MachineEvidence& evidence) {
    for (const Result& result : judge_machine(evidence)) {
      codes_.insert(result.code);
      const bool is_good_news = result.code == "ok" || result.code == "running" || result.code == "needs-credentials";
      const bool holds = explain(result.code) && is_good_news == (result.severity == Severity::kOk) && !result.message.empty() &&
                         !(is_good_news && !result.fix.empty()) && result.fix.find("{port}") == std::string::npos &&
                         (result.expected || result.severity != Severity::kProblem);
      if (holds) continue;
      UNSCOPED_INFO(name(result.path) << " " << result.port << ", " << name(result.severity) << ", " << result.code << ": " << result.message << "; "
                                      << result.fix);
      CHECK(holds);
    }
  }
  const std::set<std::string, std::less<>>& codes() const { return codes_; }

 private:
  std::set<std::string, std::less<>> codes_;
};

std::vector<HttpAnswer> answers() {
  std::vector<HttpAnswer> all;
  for (const Kind kind : kKinds) {
    HttpAnswer one;
    one.kind = kind;
    one.reach = kind == Kind::kNoConnection ? Reach::kRefused : Reach::kReachable;
    if (kind != Kind::kAnswered) {
      all.push_back(one);
      continue;
    }
    for (const int status : {101, 200, 301, 400, 401, 403, 404, 421, 500, 503}) {
      one.status = status;
      one.location = status == 301 ? "https://shop.fly.dev/" : "";
      all.push_back(one);
    }
  }
  return all;
}

template <class T>
std::vector<std::optional<T>> or_nothing(std::vector<T> values) {
  std::vector<std::optional<T>> all{std::nullopt};
  for (T& value : values) all.push_back(std::move(value));
  return all;
}

std::vector<std::vector<BoundSocket>> socket_tables() {
  BoundSocket full = tcp("::");
  full.queued = full.backlog + 1;
  std::vector<std::vector<BoundSocket>> all = {{}, {full}};
  const char* addresses_of_machine[] = {"127.0.0.1", "::1", "0.0.0.0", "::", kPrivateIpv4, kGlobalServices, kSixPn, "10.1.2.3"};
  for (const char* address : addresses_of_machine)
    for (const std::uint16_t port : {kPort, std::uint16_t{3000}, std::uint16_t{9229}}) all.push_back({tcp(address, port)});
  for (const char* address : addresses_of_machine) all.push_back({udp(address)});
  all.push_back({tcp("::", kPort, Family::kV6Only)});
  all.push_back({udp("::", kPort, Family::kV6Only)});
  all.push_back({tcp("0.0.0.0"), tcp("::", kPort, Family::kV6Only, kNginx)});
  all.push_back({tcp("::"), tcp("0.0.0.0", 9229)});
  return all;
}

MachineEvidence evidence(const Expectations& expectations, std::vector<BoundSocket> sockets) {
  MachineEvidence seen;
  seen.app = "shop";
  seen.expectations = &expectations;
  seen.view = machine(std::move(sockets));
  for (const BoundSocket& socket : seen.view.sockets)
    if (socket.protocol == BoundSocket::Protocol::kTcp) seen.tcp[socket.port];
  return seen;
}

/// What apps can expect: nothing, a web service, a raw one, a port on 6PN, a UDP service.
struct Apps {
  Expectations nothing, web, raw, six_pn, datagrams;
  Apps() {
    web.tcp = {{.port = kPort, .proxy = true, .http = true}};
    raw.tcp = {{.port = kPort, .proxy = true, .six_pn = true, .proxy_protocol = true, .raw_https = true}};
    six_pn.tcp = {{.port = kPort, .six_pn = true}};
    datagrams.udp = {kPort};
    for (Expectations* one : {&web, &six_pn})
      for (const auto type : {flylocal::config::CheckType::kTcp, flylocal::config::CheckType::kHttp})
        one->checks.push_back({"fly.toml:5", type, kPort, {}, std::chrono::seconds(2)});
  }
  std::vector<const Expectations*> all() const { return {&nothing, &web, &raw, &six_pn, &datagrams}; }
};

/// Whatever listens, and whoever reaches it.
void judge_sockets(const Apps& apps, Checked& checked) {
  for (const Expectations* expectations : apps.all())
    for (const auto& sockets : socket_tables())
      for (const Reach proxy : kReaches)
        for (const Reach over_6pn : kReaches)
          for (const bool was_refused : {false, true}) {
            MachineEvidence seen = evidence(*expectations, sockets);
            seen.listened_after = std::chrono::seconds(9);
            for (auto& [port, outcomes] : seen.tcp) {
              outcomes.proxy = proxy;
              outcomes.six_pn = over_6pn;
              outcomes.greeting = outcomes.six_pn_greeting = was_refused ? "-DENIED" : "";
              outcomes.refused_to = was_refused ? "machine 4d891 of api" : "";
            }
            checked.judge(seen);
          }
}

/// Whatever it said of a failure to bind, running or ended.
void judge_failures(const Apps& apps, Checked& checked) {
  using Why = BindError::Kind;
  std::vector<std::optional<BindError>> errors{std::nullopt};
  for (const Why why : {Why::kNameNotAccepted, Why::kAddressInUse, Why::kWildcardsCollide, Why::kPermissionDenied, Why::kAddressNotHere, Why::kFamilyNotSupported})
    for (const char* line : {"address 0.0.0.0:8080", "another"}) errors.push_back(BindError{why, line});
  for (const Expectations* expectations : apps.all())
    for (const auto& error : errors) {
      for (const auto& sockets : socket_tables()) {
        MachineEvidence seen = evidence(*expectations, sockets);
        seen.view.bind_error = error;
        checked.judge(seen);
      }
      for (const bool well : {true, false}) {
        MachineEvidence seen = evidence(*expectations, {});
        seen.view.bind_error = error;
        seen.view.not_running = "the machine is stopped";
        seen.finished_well = well;
        checked.judge(seen);
      }
    }
}

/// Whatever it answers in HTTP, on each path and to each check; the second answer stands for all that is asked later.
void judge_http_answers(const Apps& apps, Checked& checked) {
  const auto maybe_answers = or_nothing(answers());
  for (const bool probe : {true, false})
    for (const auto& first : maybe_answers)
      for (const auto& second : maybe_answers)
        for (const auto takes_tls : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
          MachineEvidence seen = evidence(apps.web, {tcp("::")});
          seen.http_probe = probe;
          TcpOutcomes& tried = seen.tcp[kPort];
          tried.proxy = tried.six_pn = Reach::kReachable;
          tried.published_as = "http://localhost:8080/";
          if (first && probe) {
            HttpEvidence& http = tried.http.emplace();
            http.host = "shop.fly.dev";
            http.asked = *first;
            http.takes_tls = takes_tls;
            http.for_localhost = http.with_proxy_line = tried.six_pn_http = tried.published_http = second;
          }
          if (tried.http && takes_tls == false) tried.http->http2 = second;
          if (!probe) tried.published = second ? Reach::kReachable : Reach::kRefused;
          seen.checks = {first, second};
          seen.asked_for_ipv4_only = {"db.internal"};
          checked.judge(seen);
        }
}

/// Whatever it does with a PROXY header and with TLS.
void judge_raw_answers(const Apps& apps, Checked& checked) {
  for (const auto& plain : or_nothing(answers()))
    for (const auto& with_line : answers())
      for (const auto takes_tls : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
        MachineEvidence seen = evidence(apps.raw, {tcp("::")});
        TcpOutcomes& tried = seen.tcp[kPort];
        tried.proxy = tried.six_pn = Reach::kReachable;
        if (plain) tried.proxy_line = {*plain, with_line};
        tried.greeting = tried.six_pn_greeting = "";
        tried.takes_tls = takes_tls;
        checked.judge(seen);
      }
}

/// Wherever its datagrams come from.
void judge_datagrams(const Apps& apps, Checked& checked) {
  for (const auto& sockets : socket_tables())
    for (const char* source : {"", kPrivateIpv4, kGlobalServices, "127.0.0.1"})
      for (const bool sent : {true, false}) {
        MachineEvidence seen = evidence(apps.datagrams, sockets);
        seen.udp[kPort].sent = sent;
        if (sent && *source) seen.udp[kPort].source = {boost::asio::ip::make_address(source), kPort};
        checked.judge(seen);
      }
}

}  // namespace

TEST_CASE("every verdict on a machine is explained, and every explanation of one is of use") {
  const Apps apps;
  Checked checked;
  judge_sockets(apps, checked);
  judge_failures(apps, checked);
  judge_http_answers(apps, checked);
  judge_raw_answers(apps, checked);
  judge_datagrams(apps, checked);

  // These come from fly.toml alone (service_findings_test.cpp), or from a group that has no machine.
  const std::set<std::string_view> not_of_a_machine = {"udp-port-differs",    "udp-needs-ipv4",             "service-incomplete", "force-https-flycast",
                                                       "raw-tcp-shared-ipv4", "autostop-without-autostart", "no-machine"};
  for (const Explanation& one : explanations()) {
    INFO(one.code);
    CHECK(checked.codes().contains(one.code) != not_of_a_machine.contains(one.code));
  }
}
