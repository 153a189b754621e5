#include "flylocal/report/machine_results.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "flylocal/report/explanation.hpp"
#include "tests/unit/report/answers.hpp"
#include "tests/unit/report/machine.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;
using namespace std::chrono_literals;
using Kind = HttpAnswer::Kind;
namespace config = flylocal::config;

namespace {

constexpr Reach kYes = Reach::kReachable, kNo = Reach::kRefused, kSlow = Reach::kTimedOut;
constexpr auto kOk = Severity::kOk, kNote = Severity::kNote, kWarning = Severity::kWarning, kPending = Severity::kPending, kProblem = Severity::kProblem;

/// What is known of a machine, to be changed by a test and then judged.
struct Seen {
  Expectations expectations;
  MachineEvidence evidence;

  explicit Seen(std::vector<BoundSocket> sockets) {
    evidence.app = "shop";
    evidence.view = machine(std::move(sockets));
  }
  TcpExpectation& expect(std::uint16_t port) {
    for (TcpExpectation& one : expectations.tcp)
      if (one.port == port) return one;
    expectations.tcp.emplace_back().port = port;
    return expectations.tcp.back();
  }
  TcpOutcomes& tried(std::uint16_t port = kPort) { return evidence.tcp[port]; }
  CheckExpectation& check(config::CheckType type, std::optional<HttpAnswer> answer) {
    CheckExpectation& made = expectations.checks.emplace_back();
    made.name = "fly.toml:9";
    made.type = type;
    made.port = kPort;
    made.request.path = "/up";
    made.timeout = 2s;
    expectations.grace_period = 1s;
    evidence.checks.push_back(std::move(answer));
    return made;
  }
  std::vector<Result> judge() const {
    MachineEvidence copy = evidence;
    copy.expectations = &expectations;
    return judge_machine(copy);
  }
};

/// A web app that answers on both paths, and is as it should be.
Seen web(std::vector<BoundSocket> sockets = {tcp("::")}) {
  Seen seen(std::move(sockets));
  TcpExpectation& port = seen.expect(kPort);
  port.proxy = port.http = true;
  TcpOutcomes& tried = seen.tried();
  tried.proxy = kYes;
  tried.six_pn = kYes;
  tried.http = asked(answer(200));
  tried.six_pn_http = answer(200);
  return seen;
}

/// The same where Fly Proxy is refused (and nobody asked anything, therefore).
Seen refused(std::vector<BoundSocket> sockets, Reach over_6pn = kNo) {
  Seen seen = web(std::move(sockets));
  seen.tried() = {};
  seen.tried().proxy = kNo;
  seen.tried().six_pn = over_6pn;
  return seen;
}

/// A service of raw TCP.
Seen raw_tcp(std::string greeting = "") {
  Seen seen = web();
  seen.expect(kPort).http = false;
  seen.tried() = {};
  seen.tried().proxy = kYes;
  seen.tried().greeting = std::move(greeting);
  seen.tried().six_pn = kYes;
  seen.tried().six_pn_greeting = "";
  return seen;
}

/// A UDP service.
Seen datagrams(std::vector<BoundSocket> sockets, UdpAnswer answer) {
  Seen seen(std::move(sockets));
  seen.expectations.udp = {kPort};
  seen.evidence.udp[kPort] = answer;
  return seen;
}
UdpAnswer answered(const char* from) { return {true, boost::asio::ip::udp::endpoint(boost::asio::ip::make_address(from), kPort)}; }

/// An app without services that has this port.
Seen private_app(std::vector<BoundSocket> sockets, std::uint16_t port, Reach over_6pn) {
  Seen seen(std::move(sockets));
  seen.tried(port).six_pn = over_6pn;
  if (over_6pn == kYes) seen.tried(port).six_pn_greeting = "";
  return seen;
}

Seen changed(Seen seen, const std::function<void(Seen&)>& change) {
  change(seen);
  return seen;
}

Seen ended(BindError::Kind kind) {
  Seen seen = refused({});
  seen.evidence.view.processes.clear();
  seen.evidence.view.not_running = "the machine is stopped; its program exited with code 1";
  seen.evidence.view.bind_error = BindError{kind, "its own words"};
  return seen;
}

std::vector<std::string> on(const std::vector<Result>& results, Path path) {
  std::vector<std::string> codes;
  for (const Result& one : results)
    if (one.path == path) codes.push_back(std::to_string(one.port) + " " + one.code);
  return codes;
}

const Result* find(const std::vector<Result>& results, Path path, std::string_view code) {
  const auto found = std::find_if(results.begin(), results.end(), [&](const Result& one) { return one.path == path && one.code == code; });
  return found == results.end() ? nullptr : &*found;
}

/// The same where there has to be one.
const Result& the(const std::vector<Result>& results, Path path, std::string_view code) {
  std::string all;
  for (const Result& one : results) all += std::string(name(one.path)) + " " + one.code + ": " + one.message + "\n";
  INFO("looked for " << name(path) << " " << code << " among\n" << all);
  const Result* result = find(results, path, code);
  REQUIRE(result);
  return *result;
}

Severity worst(const std::vector<Result>& results) {
  Severity severity = kOk;
  for (const Result& one : results) severity = std::max(severity, one.severity);
  return severity;
}

using Codes = std::vector<std::string>;

}  // namespace

TEST_CASE("each verdict comes from evidence as real programs give it") {
  struct Case {
    const char* name;
    Seen seen;
    Path path;
    const char* code;
    Severity severity;
    bool expected = true;
  };
  const auto proxy_line = [](HttpAnswer plain, HttpAnswer with) {
    return changed(raw_tcp(), [&](Seen& s) {
      s.expect(kPort).proxy_protocol = true;
      s.tried().proxy_line = {plain, with};
    });
  };
  const auto http = [](HttpEvidence evidence) { return changed(web(), [&](Seen& s) { s.tried().http = evidence; }); };
  const auto check = [](config::CheckType type, std::optional<HttpAnswer> answer) { return changed(web(), [&](Seen& s) { s.check(type, answer); }); };
  const auto full = [](BoundSocket socket) {
    socket.queued = 512;
    return socket;
  };
  const auto in_http2 = [](HttpAnswer http2) {
    Seen seen = raw_tcp();
    seen.expect(kPort).http2 = true;
    HttpEvidence& evidence = seen.tried().http.emplace();
    evidence.host = "shop.fly.dev";
    evidence.http1 = false;
    evidence.http2 = std::move(http2);
    return seen;
  };
  HttpEvidence refuses_host = asked(answer(403));
  refuses_host.for_localhost = answer(200);
  HttpEvidence wants_line = asked(other(Kind::kClosed));
  wants_line.with_proxy_line = answer(200);
  HttpAnswer no_connection;
  no_connection.reach = kNo;
  const Family v6_only = Family::kV6Only;
  const Case cases[] = {
      {"a web app", web(), Path::kProxy, "ok", kOk},
      {"a web app over 6PN", web(), Path::k6pn, "ok", kOk, false},
      {"a worker", Seen({}), Path::k6pn, "running", kOk},
      {"a job that is done", changed(Seen({}), [](Seen& s) { s.evidence.finished_well = true; s.evidence.view.not_running = "stopped"; }), Path::k6pn, "running", kOk},
      {"a worker that crashed", changed(Seen({}), [](Seen& s) { s.evidence.view.not_running = "stopped"; }), Path::k6pn, "not-running", kProblem},
      {"0.0.0.0, over 6PN", changed(web({tcp("0.0.0.0")}), [](Seen& s) { s.tried().six_pn = kNo; }), Path::k6pn, "ipv4-only", kNote, false},
      {"0.0.0.0, which [[expect]] forbids", changed(web({tcp("0.0.0.0")}), [](Seen& s) { s.expect(kPort).six_pn = true; s.tried().six_pn = kNo; }), Path::k6pn, "ipv4-only", kProblem},
      {"HOSTNAME", changed(web({tcp(kPrivateIpv4)}), [](Seen& s) { s.tried().six_pn = kNo; }), Path::k6pn, "private-ipv4-only", kNote, false},
      {"127.0.0.1", refused({tcp("127.0.0.1")}), Path::kProxy, "loopback-only", kProblem},
      {"127.0.0.1 over 6PN", refused({tcp("127.0.0.1")}), Path::k6pn, "loopback-only", kNote, false},
      {"V6ONLY", refused({tcp("::", kPort, v6_only)}, kYes), Path::kProxy, "ipv6-only", kProblem},
      {"fly-local-6pn", refused({tcp(kSixPn)}, kYes), Path::kProxy, "6pn-only", kProblem},
      {"fly-global-services", refused({tcp(kGlobalServices)}), Path::kProxy, "global-services-only", kProblem},
      {"another port", refused({tcp("::", 3000)}), Path::kProxy, "wrong-port", kProblem},
      {"nothing yet", refused({}), Path::kProxy, "nothing-listening", kPending},
      {"UDP instead", refused({udp("0.0.0.0")}), Path::kProxy, "udp-only", kProblem},
      {"a crash", changed(refused({}), [](Seen& s) { s.evidence.view.not_running = "stopped"; }), Path::kProxy, "not-running", kProblem},
      {"a filter", refused({tcp("::")}), Path::kProxy, "refused", kProblem},
      {"no accept", changed(refused({full(tcp("::"))}), [](Seen& s) { s.tried().proxy = kSlow; }), Path::kProxy, "not-accepting", kProblem},
      {"a full queue at the moment of looking", web({full(tcp("::"))}), Path::kProxy, "ok", kOk},
      {"two programs", changed(web({tcp("0.0.0.0"), tcp("::", kPort, v6_only, kNginx)}), [](Seen&) {}), Path::kProxy, "split-port", kWarning, false},
      {"a slow start", changed(check(config::CheckType::kTcp, no_connection), [](Seen& s) { s.evidence.listened_after = 1500ms; }), Path::kCheck, "slow-start", kNote, false},
      {"a name", ended(BindError::Kind::kNameNotAccepted), Path::kProxy, "name-not-accepted", kProblem},
      {"a port that is taken", ended(BindError::Kind::kAddressInUse), Path::kProxy, "address-in-use", kProblem},
      {"two wildcards", ended(BindError::Kind::kWildcardsCollide), Path::kProxy, "wildcards-collide", kProblem},
      {"port 80 without root", ended(BindError::Kind::kPermissionDenied), Path::kProxy, "privileged-port", kProblem},
      {"an address of elsewhere", ended(BindError::Kind::kAddressNotHere), Path::kProxy, "address-not-here", kProblem},
      {"Errno -9", ended(BindError::Kind::kFamilyNotSupported), Path::kProxy, "family-not-supported", kProblem},
      {"a request that hangs", http(asked(other(Kind::kSilent))), Path::kProxy, "no-answer", kProblem},
      {"a reset", http(asked(other(Kind::kClosed))), Path::kProxy, "closes-connection", kProblem},
      {"Redis behind http", http(asked(other(Kind::kNotHttp))), Path::kProxy, "not-http", kProblem},
      {"gRPC behind http", http(asked(other(Kind::kHttp2))), Path::kProxy, "http2-only", kProblem},
      {"gRPC behind h2_backend", in_http2(other(Kind::kHttp2)), Path::kProxy, "ok", kOk},
      {"HTTP/1.1 behind h2_backend", in_http2(answer(400)), Path::kProxy, "http1-only", kProblem},
      {"TLS behind http", http(asked(other(Kind::kTls))), Path::kProxy, "speaks-tls", kProblem},
      {"plain HTTP behind raw 443", changed(raw_tcp(), [](Seen& s) { s.expect(kPort).raw_https = true; s.tried().takes_tls = false; }), Path::kProxy, "tls-passed-through", kProblem},
      {"TLS behind raw 443", changed(raw_tcp(), [](Seen& s) { s.expect(kPort).raw_https = true; s.tried().takes_tls = true; }), Path::kProxy, "ok", kOk},
      {"SSH behind raw 443", changed(raw_tcp("SSH-2.0-OpenSSH_9.2\r\n"), [](Seen& s) { s.expect(kPort).raw_https = true; s.tried().takes_tls = false; }), Path::kProxy, "ok", kOk},
      {"listen ... proxy_protocol", http(wants_line), Path::kProxy, "proxy-protocol-missing", kProblem},
      {"proxy_proto for nobody", proxy_line(answer(200), answer(400)), Path::kProxy, "proxy-protocol-unexpected", kProblem},
      {"proxy_proto for one who knows it", proxy_line(other(Kind::kClosed), {}), Path::kProxy, "ok", kOk},
      {"Vite", http(refuses_host), Path::kProxy, "host-refused", kWarning},
      {"SECURE_SSL_REDIRECT", http(asked(answer(301, "https://shop.fly.dev/"))), Path::kProxy, "redirect-loop", kWarning},
      {"an exception", http(asked(answer(500))), Path::kProxy, "server-error", kWarning},
      {"a password", http(asked(answer(401))), Path::kProxy, "needs-credentials", kOk},
      {"Redis in protected mode", raw_tcp("-DENIED Redis is running in protected mode"), Path::kProxy, "client-refused", kWarning},
      {"a published port that is dead", changed(web(), [](Seen& s) { s.tried().published_as = "http://localhost:8080/"; s.tried().published_http = answer(502); }), Path::kPublished, "published-unreachable", kProblem},
      {"UDP on a wildcard", datagrams({udp("0.0.0.0")}, answered(kPrivateIpv4)), Path::kUdp, "udp-wrong-source", kProblem},
      {"UDP, silent", datagrams({udp("0.0.0.0")}, {true, {}}), Path::kUdp, "udp-unanswered", kNote},
      {"UDP, missing", datagrams({}, {}), Path::kUdp, "udp-not-listening", kPending},
      {"UDP on loopback", datagrams({udp("127.0.0.1")}, {true, {}}), Path::kUdp, "udp-unreachable", kProblem},
      {"UDP as it should be", datagrams({udp(kGlobalServices)}, answered(kGlobalServices)), Path::kUdp, "ok", kOk},
      {"a check that passes", check(config::CheckType::kHttp, answer(200)), Path::kCheck, "ok", kOk},
      {"a TCP check that passes, of a program that waits for the client", check(config::CheckType::kTcp, other(Kind::kSilent)), Path::kCheck, "ok", kOk},
      {"a TCP check", check(config::CheckType::kTcp, no_connection), Path::kCheck, "check-unreachable", kProblem},
      {"a check that was not made yet", check(config::CheckType::kHttp, {}), Path::kCheck, "check-unreachable", kPending},
      {"force_ssl", check(config::CheckType::kHttp, answer(301, "https://x/")), Path::kCheck, "check-redirects", kProblem},
      {"a wrong path", check(config::CheckType::kHttp, answer(404)), Path::kCheck, "check-not-2xx", kProblem},
      {"a slow path", check(config::CheckType::kHttp, other(Kind::kSilent)), Path::kCheck, "check-timeout", kProblem},
      {"a debugger", changed(web({tcp("::"), tcp("0.0.0.0", 9229, Family::kDefault, kNodesOther)}), [](Seen& s) { s.tried(9229).six_pn = kYes; }), Path::k6pn, "debug-port-open", kNote, false},
      {"ioredis", changed(web(), [](Seen& s) { s.evidence.asked_for_ipv4_only = {"redis.internal"}; }), Path::kDns, "asks-ipv4-only", kWarning, false},
  };
  std::set<std::string_view> codes;
  for (const Case& c : cases) {
    const auto results = c.seen.judge();
    std::string all;
    for (const Result& one : results) all += std::string(name(one.path)) + " " + one.code + ": " + one.message + "\n";
    INFO(c.name << "\n" << all);
    const Result& result = the(results, c.path, c.code);
    codes.insert(c.code);
    CHECK(result.severity == c.severity);
    CHECK(result.expected == c.expected);
    CHECK_FALSE(result.message.empty());
    CHECK(explain(result.code));
    if (result.severity == kOk) CHECK(result.fix.empty());
  }
  // All that a machine can be told is among them; the others come from fly.toml alone, or from a group without machines.
  const std::set<std::string_view> elsewhere = {"udp-port-differs", "udp-needs-ipv4", "service-incomplete", "force-https-flycast",
                                                "raw-tcp-shared-ipv4", "autostop-without-autostart", "no-machine"};
  for (const Explanation& one : explanations()) {
    INFO(one.code);
    CHECK(codes.contains(one.code) != elsewhere.contains(one.code));
  }
}

TEST_CASE("the proxy's result shows what was tried, what listens, and what was answered") {
  Seen seen = web({tcp("::")});
  const auto results = seen.judge();
  const Result& proxy = the(results, Path::kProxy, "ok");
  CHECK(proxy.target == "172.19.0.2:8080");
  CHECK(proxy.reach == kYes);
  CHECK(proxy.evidence == Codes{"connect from Fly Proxy's side to 172.19.0.2:8080: reachable",
                                 "tcp [::]:8080, IPV6_V6ONLY off, 0 of 511 wait, node (pid 42): node server.js", "GET / for shop.fly.dev: HTTP/1.1 200"});
  CHECK_THAT(proxy.message, Catch::Contains("node (pid 42) listens on [::]:8080") && Catch::Contains("answers 200"));
  const Result& six_pn = the(results, Path::k6pn, "ok");
  CHECK(six_pn.target == "[fdaa:0:18:a7b:7d:f066:b83b:2]:8080");
  CHECK(worst(results) == kOk);
}

TEST_CASE("the advice is for the program that holds the port") {
  const auto results = refused({tcp("127.0.0.1")}).judge();
  CHECK_THAT(the(results, Path::kProxy, "loopback-only").fix, Catch::StartsWith("Node.js: "));
}

TEST_CASE("an app with a service needs 6PN only where somebody wants it") {
  Seen seen = web({tcp("0.0.0.0")});
  seen.tried().six_pn = kNo;
  CHECK(worst(seen.judge()) == kNote);
  SECTION("another machine was refused there") {
    seen.tried().refused_to = "machine 4d891 of api";
    const auto results = seen.judge();
    const Result& six_pn = the(results, Path::k6pn, "ipv4-only");
    CHECK(six_pn.severity == kProblem);
    CHECK(six_pn.expected);
    CHECK_THAT(six_pn.evidence.back(), Catch::Contains("machine 4d891 of api dialled it and was refused"));
  }
  SECTION("it was refused before the program listened, and is not any more") {
    seen = web();
    seen.tried().refused_to = "machine 4d891 of api";
    CHECK(worst(seen.judge()) == kOk);
  }
}

TEST_CASE("an app without services is there for 6PN") {
  CHECK(worst(private_app({tcp("::", 6379)}, 6379, kYes).judge()) == kOk);
  for (const auto& [address, code] : {std::pair("127.0.0.1", "loopback-only"), {"0.0.0.0", "ipv4-only"}, {kPrivateIpv4, "private-ipv4-only"}}) {
    const auto results = private_app({tcp(address, 6379)}, 6379, kNo).judge();
    const Result& result = the(results, Path::k6pn, code);
    CHECK(result.severity == kProblem);
    CHECK(result.expected);
    CHECK(result.port == 6379);
  }
  SECTION("but not each of its ports: one on loopback beside another serves the machine itself") {
    Seen seen = private_app({tcp("::", 5432), tcp("127.0.0.1", 6000)}, 5432, kYes);
    seen.tried(6000).six_pn = kNo;
    CHECK(worst(seen.judge()) == kNote);
  }
  SECTION("nor a debugger's port, nor those by which nodes of Erlang meet") {
    CHECK(worst(private_app({tcp("127.0.0.1", 9229)}, 9229, kNo).judge()) == kNote);
    Seen beam = private_app({tcp("0.0.0.0", 41234, Family::kDefault, 300)}, 41234, kNo);
    beam.evidence.view.processes = {process(9, {"beam.smp"}, {300})};
    CHECK(worst(beam.judge()) == kNote);
    Seen rabbit = private_app({tcp("0.0.0.0", 25672, Family::kDefault, 300)}, 25672, kNo);
    rabbit.evidence.view.processes = {process(9, {"beam.smp"}, {300})};
    CHECK(worst(rabbit.judge()) == kNote);
  }
  SECTION("nor is a worker whose neighbours have a service") {
    Seen worker = private_app({tcp("127.0.0.1", 9090)}, 9090, kNo);
    worker.expectations.app_has_services = true;
    CHECK(worst(worker.judge()) == kNote);
  }
  SECTION("unless another machine was refused there") {
    Seen seen = private_app({tcp("::", 5432), tcp("127.0.0.1", 6000)}, 5432, kYes);
    seen.tried(6000).six_pn = kNo;
    seen.tried(6000).refused_to = "machine 4d891 of api";
    CHECK(worst(seen.judge()) == kProblem);
  }
  SECTION("and [[expect]] says which port is meant") {
    Seen seen = private_app({tcp("::", 5432), tcp("0.0.0.0", 8008)}, 5432, kYes);
    seen.expect(5432).six_pn = true;
    seen.tried(8008).six_pn = kNo;
    const auto results = seen.judge();
    CHECK(on(results, Path::k6pn) == Codes{"5432 ok", "8008 ipv4-only"});
    CHECK(worst(results) == kNote);
    CHECK(on(results, Path::kProxy).empty());
  }
}

TEST_CASE("a greeting that refuses the client is told on the path on which it was heard") {
  const std::string denied = "-DENIED Redis is running in protected mode";
  SECTION("of an app without services") {
    Seen seen = private_app({tcp("::", 6379)}, 6379, kYes);
    seen.tried(6379).six_pn_greeting = denied;
    const auto results = seen.judge();
    const Result& result = the(results, Path::k6pn, "client-refused");
    CHECK(result.severity == kWarning);
    CHECK(result.reach == kYes);
  }
  SECTION("of a service") {
    Seen seen = raw_tcp();
    seen.tried().six_pn_greeting = denied;
    const auto results = seen.judge();
    CHECK(find(results, Path::k6pn, "client-refused"));
    CHECK(find(results, Path::kProxy, "ok"));
  }
  SECTION("not of one that cannot be reached any more") {
    BoundSocket full = tcp("::", 6379);
    full.queued = full.backlog + 1;
    Seen seen = private_app({full}, 6379, kSlow);
    seen.tried(6379).six_pn_greeting = denied;
    CHECK(find(seen.judge(), Path::k6pn, "not-accepting"));
  }
}

TEST_CASE("further ports of an app with services are told and need nothing") {
  Seen seen = web({tcp("::"), tcp("127.0.0.1", 6379), tcp("0.0.0.0", 9090)});
  seen.tried(6379).six_pn = kNo;
  seen.tried(9090).six_pn = kNo;
  const auto results = seen.judge();
  CHECK(on(results, Path::k6pn) == Codes{"8080 ok", "6379 loopback-only", "9090 ipv4-only"});
  CHECK(worst(results) == kNote);
}

TEST_CASE("the port of a debugger is nobody's debugger where another runtime serves there") {
  auto code = [](std::uint16_t port, std::vector<std::string> command_line) {
    Seen seen = web({tcp("::"), tcp("0.0.0.0", port, Family::kDefault, kNginx)});
    seen.evidence.view.processes = {process(42, {"node", "server.js"}, {kNode}), process(57, std::move(command_line), {kNginx})};
    seen.tried(port).six_pn = kYes;
    seen.tried(port).six_pn_greeting = "";
    return find(seen.judge(), Path::k6pn, "debug-port-open") ? "debugger" : "other";
  };
  CHECK(code(5678, {"python3", "-m", "debugpy"}) == std::string("debugger"));
  CHECK(code(5678, {"node", "/usr/local/bin/n8n"}) == std::string("other"));
  CHECK(code(5005, {"java", "-jar", "app.jar"}) == std::string("debugger"));
  CHECK(code(5005, {"/usr/bin/python3.11", "/usr/bin/rasa", "run"}) == std::string("other"));
  CHECK(code(9229, {"node", "--inspect=0.0.0.0"}) == std::string("debugger"));
  CHECK(code(9229, {"socat", "TCP-LISTEN:9229", "TCP:127.0.0.1:9230"}) == std::string("debugger"));
  CHECK(code(6060, {"python3", "app.py"}) == std::string("debugger"));
}

TEST_CASE("it is left open who asked for an IPv4 address alone") {
  const auto results = changed(web(), [](Seen& s) { s.evidence.asked_for_ipv4_only = {"redis.internal"}; }).judge();
  CHECK_THAT(the(results, Path::kDns, "asks-ipv4-only").message, Catch::Contains("redis.internal") && Catch::Contains("dig"));
}

TEST_CASE("what a framework says of the host it refuses is mended in that framework") {
  HttpAnswer refused_host = answer(400);
  refused_host.body = "<h1>Bad Request (400)</h1>";
  Seen seen = web();
  seen.tried().http = asked(refused_host);
  seen.tried().http->for_localhost = seen.tried().six_pn_http = refused_host;
  const auto results = seen.judge();
  CHECK_THAT(the(results, Path::kProxy, "host-refused").fix, Catch::StartsWith("Django: ALLOWED_HOSTS"));
  CHECK(the(results, Path::k6pn, "host-refused").severity == kNote);
  SECTION("or it is told by the log alone") {
    refused_host.body.clear();
    seen.tried().http = asked(refused_host);
    seen.tried().http->for_localhost = seen.tried().six_pn_http = refused_host;
    CHECK(find(seen.judge(), Path::kProxy, "ok"));
    seen.evidence.view.said = {"Invalid HTTP_HOST header: 'shop.fly.dev'. You may need to add 'shop.fly.dev' to ALLOWED_HOSTS."};
    CHECK(find(seen.judge(), Path::kProxy, "host-refused"));
  }
}

TEST_CASE("a debugger's port that only the machine can reach is not open") {
  Seen seen = web({tcp("::"), tcp("127.0.0.1", 9229, Family::kDefault, kNodesOther)});
  seen.tried(9229).six_pn = kNo;
  CHECK_FALSE(find(seen.judge(), Path::k6pn, "debug-port-open"));
}

TEST_CASE("what was not tried yet is pending, and says so by its code") {
  SECTION("the connect") {
    Seen seen = web();
    seen.tried() = {};
    CHECK(worst(seen.judge()) == kPending);
  }
  SECTION("the request") {
    Seen seen = web();
    seen.tried().http.reset();
    const auto results = seen.judge();
    const Result& proxy = the(results, Path::kProxy, "no-answer");
    CHECK(proxy.severity == kPending);
    CHECK(proxy.reach == kYes);
  }
  SECTION("the request over 6PN") {
    Seen seen = web();
    seen.tried().six_pn_http.reset();
    CHECK(the(seen.judge(), Path::k6pn, "no-answer").severity == kPending);
  }
  SECTION("what a program says unasked") {
    Seen seen = raw_tcp();
    seen.tried().greeting.reset();
    CHECK(the(seen.judge(), Path::kProxy, "no-answer").severity == kPending);
    seen = raw_tcp();
    seen.tried().six_pn_greeting.reset();
    CHECK(the(seen.judge(), Path::k6pn, "no-answer").severity == kPending);
    CHECK(find(seen.judge(), Path::kProxy, "ok"));
  }
  SECTION("TLS and the PROXY header") {
    for (const bool tls : {true, false}) {
      Seen seen = raw_tcp();
      (tls ? seen.expect(kPort).raw_https : seen.expect(kPort).proxy_protocol) = true;
      CHECK(worst(seen.judge()) == kPending);
    }
  }
  SECTION("the published port") {
    Seen seen = web();
    seen.tried().published_as = "http://localhost:8080/";
    CHECK(the(seen.judge(), Path::kPublished, "published-unreachable").severity == kPending);
  }
}

TEST_CASE("without HTTP probes a connect is enough") {
  Seen seen = web();
  seen.evidence.http_probe = false;
  seen.tried().http.reset();
  seen.tried().six_pn_http.reset();
  seen.tried().published_as = "http://localhost:8080/";
  seen.tried().published = kYes;
  // Nobody makes it, so that it would be pending for ever.
  seen.check(config::CheckType::kHttp, {});
  const auto results = seen.judge();
  CHECK(worst(results) == kOk);
  CHECK(find(results, Path::kPublished, "ok"));
  CHECK(on(results, Path::kCheck).empty());
  SECTION("a check of a port on which nothing listens fails all the same") {
    seen.evidence.view.sockets = {tcp("::", 3000)};
    CHECK(find(seen.judge(), Path::kCheck, "check-unreachable"));
  }
}

TEST_CASE("a host that is refused over 6PN alone is told on that path") {
  Seen seen = web();
  seen.tried().six_pn_http = answer(403);
  SECTION("where APP.fly.dev is accepted") {
    const auto results = seen.judge();
    const Result& six_pn = the(results, Path::k6pn, "host-refused");
    CHECK(six_pn.severity == kNote);
    CHECK_THAT(six_pn.message, Catch::Contains("shop.internal") && Catch::Contains("shop.fly.dev"));
    CHECK(find(results, Path::kProxy, "ok"));
  }
  SECTION("and it is a warning where somebody needs it") {
    seen.expect(kPort).six_pn = true;
    CHECK(the(seen.judge(), Path::k6pn, "host-refused").severity == kWarning);
  }
  SECTION("not where everybody is refused") {
    seen.tried().http = asked(answer(403));
    seen.tried().http->for_localhost = answer(403);
    CHECK(find(seen.judge(), Path::k6pn, "ok"));
  }
}

TEST_CASE("a published port is judged by what comes through it, once the program itself is reached") {
  Seen seen = web();
  seen.tried().published_as = "http://localhost:8080/";
  auto code = [&] {
    const auto codes = on(seen.judge(), Path::kPublished);
    return codes.empty() ? "" : codes[0];
  };
  SECTION("what the program says, comes through") {
    for (const int status : {200, 301, 404, 500}) {
      seen.tried().published_http = answer(status);
      CHECK(code() == "8080 ok");
    }
  }
  SECTION("Fly Proxy's own words do not") {
    for (const int status : {502, 503, 504}) {
      seen.tried().published_http = answer(status);
      CHECK(code() == "8080 published-unreachable");
    }
    seen.tried().http = asked(answer(503));
    CHECK(code() == "8080 ok");
  }
  SECTION("nor nothing at all") {
    seen.tried().published_http = other(Kind::kClosed);
    CHECK(code() == "8080 published-unreachable");
  }
  SECTION("nothing is said while the program is not reached, or says nothing") {
    seen.tried().published_http = answer(503);
    seen.tried().http = asked(other(Kind::kSilent));
    CHECK(code().empty());
    seen.tried().proxy = kNo;
    CHECK(code().empty());
  }
  SECTION("of raw TCP the connect counts") {
    seen = raw_tcp();
    seen.tried().published_as = "localhost:15432";
    seen.tried().published = kNo;
    CHECK(code() == "8080 published-unreachable");
    seen.tried().published = kYes;
    CHECK(code() == "8080 ok");
  }
}

TEST_CASE("a check of a port on which nothing listens fails, and of a machine that ended has its reason") {
  Seen seen = refused({tcp("::", 3000)});
  seen.check(config::CheckType::kHttp, {});
  CHECK(the(seen.judge(), Path::kCheck, "check-unreachable").severity == kProblem);
  CHECK(the(seen.judge(), Path::kCheck, "check-unreachable").reach == kNo);
  seen.evidence.view.not_running = "the machine is stopped";
  CHECK(the(seen.judge(), Path::kCheck, "not-running").severity == kProblem);
  // It may listen yet.
  seen = refused({});
  seen.check(config::CheckType::kTcp, {});
  CHECK(the(seen.judge(), Path::kCheck, "nothing-listening").severity == kPending);
}

TEST_CASE("a start is slow if it takes longer than the checks wait") {
  auto slow = [](std::chrono::milliseconds after, bool has_check) {
    Seen seen = web();
    if (has_check) seen.check(config::CheckType::kHttp, answer(200));
    seen.expectations.grace_period = 5s;
    seen.evidence.listened_after = after;
    const auto results = seen.judge();
    const Result* found = find(results, Path::kCheck, "slow-start");
    return found ? found->fix : "";
  };
  CHECK(slow(5s, true).empty());
  CHECK(slow(5001ms, true) == "fly.toml: grace_period = \"11s\" in the checks");
  CHECK(slow(20s, false).empty());
}

TEST_CASE("results come in order: services, 6PN, UDP, other ports, checks, the file, DNS") {
  Seen seen = web({tcp("::"), tcp("::", 3000), udp(kGlobalServices, 53)});
  seen.expectations.udp = {53};
  seen.evidence.udp[53] = answered(kGlobalServices);
  seen.tried(3000).six_pn = kYes;
  seen.tried(3000).six_pn_greeting = "";
  seen.check(config::CheckType::kHttp, answer(200));
  seen.expectations.of_file.emplace_back().code = "service-incomplete";
  seen.evidence.asked_for_ipv4_only = {"a.internal", "b.internal"};
  std::vector<std::string> order;
  for (const Result& one : seen.judge()) order.push_back(std::string(name(one.path)) + " " + one.code);
  CHECK(order == Codes{"proxy ok", "6pn ok", "udp ok", "6pn ok", "check ok", "proxy service-incomplete", "dns asks-ipv4-only", "dns asks-ipv4-only"});
}
