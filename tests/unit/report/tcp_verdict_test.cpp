#include "flylocal/report/tcp_verdict.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/report/machine.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;

namespace {

constexpr Path kProxy = Path::kProxy, k6pn = Path::k6pn;
constexpr Reach kYes = Reach::kReachable, kNo = Reach::kRefused, kSlow = Reach::kTimedOut, kUntried = Reach::kUntried;

BoundSocket full(BoundSocket socket) {
  socket.queued = 6;
  socket.backlog = 5;
  return socket;
}

MachineView ended(std::string why, std::optional<BindError> error = {}) {
  MachineView view = machine({});
  view.processes.clear();
  view.not_running = std::move(why);
  view.bind_error = std::move(error);
  return view;
}

}  // namespace

TEST_CASE("what listens where gives the verdict on each path, and its sentence names the process and where it listens") {
  struct Case {
    const char* name;
    Path path;
    std::vector<BoundSocket> sockets;
    Reach reach;
    Severity severity;
    const char* code;
    std::vector<std::string> message;  ///< what it has to contain
  };
  const std::string node = "node (pid 42)";
  const Family v6_only = Family::kV6Only;
  const Severity ok = Severity::kOk, problem = Severity::kProblem, pending = Severity::kPending;
  const Case cases[] = {
      // Reachable: the connect decides, whatever the sockets look like.
      {"dual-stack wildcard", kProxy, {tcp("::")}, kYes, ok, "ok", {node, "[::]:8080"}},
      {"dual-stack wildcard", k6pn, {tcp("::")}, kYes, ok, "ok", {node, "[::]:8080"}},
      {"one wildcard a family", kProxy, {tcp("0.0.0.0"), tcp("::", kPort, v6_only)}, kYes, ok, "ok", {node, "0.0.0.0:8080", "[::]:8080"}},
      {"a socket that could not be read", kProxy, {}, kYes, ok, "ok", {"reachable"}},
      // Over IPv4 alone.
      {"IPv4 wildcard", kProxy, {tcp("0.0.0.0")}, kYes, ok, "ok", {node, "0.0.0.0:8080"}},
      {"IPv4 wildcard", k6pn, {tcp("0.0.0.0")}, kNo, problem, "ipv4-only", {node, "0.0.0.0:8080", "IPv6"}},
      {"IPv4 wildcard as IPv4-mapped", k6pn, {tcp("::ffff:0.0.0.0")}, kNo, problem, "ipv4-only", {node, ":8080"}},
      {"IPv4 wildcard and ::1", k6pn, {tcp("0.0.0.0"), tcp("::1")}, kNo, problem, "ipv4-only", {node}},
      {"the private IPv4 address", k6pn, {tcp(kPrivateIpv4)}, kNo, problem, "private-ipv4-only", {node, "172.19.0.2:8080"}},
      {"the private IPv4 address as IPv4-mapped", k6pn, {tcp("::ffff:172.19.0.2")}, kNo, problem, "private-ipv4-only", {node, "172.19.0.2"}},
      // Loopback, in each of its spellings.
      {"127.0.0.1", kProxy, {tcp("127.0.0.1")}, kNo, problem, "loopback-only", {node, "127.0.0.1:8080"}},
      {"127.0.0.1", k6pn, {tcp("127.0.0.1")}, kNo, problem, "loopback-only", {node, "127.0.0.1:8080"}},
      {"another of 127/8", kProxy, {tcp("127.0.1.1")}, kNo, problem, "loopback-only", {node, "127.0.1.1:8080"}},
      {"::1", kProxy, {tcp("::1")}, kNo, problem, "loopback-only", {node, "[::1]:8080"}},
      {"::1", k6pn, {tcp("::1")}, kNo, problem, "loopback-only", {node, "[::1]:8080"}},
      {"::ffff:127.0.0.1", kProxy, {tcp("::ffff:127.0.0.1")}, kNo, problem, "loopback-only", {node, "127.0.0.1", ":8080"}},
      {"both loopbacks", kProxy, {tcp("127.0.0.1"), tcp("::1")}, kNo, problem, "loopback-only", {node, "127.0.0.1:8080", "[::1]:8080"}},
      // Over IPv6 alone.
      {"[::] with IPV6_V6ONLY", kProxy, {tcp("::", kPort, v6_only)}, kNo, problem, "ipv6-only", {node, "[::]:8080", "IPV6_V6ONLY", "IPv4"}},
      {"[::] with IPV6_V6ONLY", k6pn, {tcp("::", kPort, v6_only)}, kYes, ok, "ok", {node, "[::]:8080"}},
      {"IPV6_V6ONLY beside 127.0.0.1", kProxy, {tcp("127.0.0.1"), tcp("::", kPort, v6_only)}, kNo, problem, "ipv6-only", {node, "[::]:8080"}},
      {"the 6PN address", kProxy, {tcp(kSixPn)}, kNo, problem, "6pn-only", {node, kSixPn, "IPv4"}},
      {"the 6PN address and ::1", kProxy, {tcp("::1"), tcp(kSixPn)}, kNo, problem, "6pn-only", {node, kSixPn}},
      // fly-global-services is for UDP.
      {"fly-global-services", kProxy, {tcp(kGlobalServices)}, kNo, problem, "global-services-only", {node, "172.19.0.3:8080", "UDP"}},
      {"fly-global-services", k6pn, {tcp(kGlobalServices)}, kNo, problem, "global-services-only", {node, "172.19.0.3:8080"}},
      {"fly-global-services as IPv4-mapped, and loopback", kProxy, {tcp("127.0.0.1"), tcp("::ffff:172.19.0.3")}, kNo, problem, "global-services-only", {node}},
      // A socket in the right place that nevertheless does not serve.
      {"refused", kProxy, {tcp("0.0.0.0")}, kNo, problem, "refused", {node, "0.0.0.0:8080"}},
      {"refused over 6PN", k6pn, {tcp("::")}, kNo, problem, "refused", {node, "[::]:8080"}},
      {"some other address", kProxy, {tcp("10.1.2.3")}, kNo, problem, "refused", {node, "10.1.2.3:8080"}},
      {"queue full", kProxy, {full(tcp("0.0.0.0"))}, kSlow, problem, "not-accepting", {node, "0.0.0.0:8080", "6 wait", "room for 5"}},
      {"queue full over 6PN", k6pn, {full(tcp("::"))}, kSlow, problem, "not-accepting", {node, "[::]:8080", "6 wait"}},
      {"not tried yet", kProxy, {tcp("0.0.0.0")}, kUntried, pending, "refused", {"not tried yet"}},
      // Another port, or none.
      {"wrong port", kProxy, {tcp("::", 3000)}, kNo, problem, "wrong-port", {node, "port 8080", "[::]:3000"}},
      {"wrong port and loopback", kProxy, {tcp("127.0.0.1", 3000)}, kNo, problem, "wrong-port", {node, "127.0.0.1:3000", "loopback"}},
      {"wrong port beside a UDP socket on the right one", kProxy, {udp("0.0.0.0"), tcp("0.0.0.0", 3000)}, kNo, problem, "wrong-port", {node, ":3000"}},
      {"UDP only", kProxy, {udp("0.0.0.0")}, kNo, problem, "udp-only", {node, "UDP", "8080"}},
      {"UDP on another port", kProxy, {udp("0.0.0.0", 5353)}, kNo, pending, "nothing-listening", {"8080"}},
      {"nothing", kProxy, {}, kNo, pending, "nothing-listening", {"8080"}},
      {"nothing, not even tried", kProxy, {}, kUntried, pending, "nothing-listening", {"8080"}},
  };
  for (const Case& c : cases) {
    const Verdict verdict = judge_tcp(machine(c.sockets), c.path, kPort, c.reach, true);
    INFO(c.name << ", " << name(c.path) << ": " << verdict.message);
    CHECK(verdict.code == c.code);
    CHECK(verdict.severity == c.severity);
    for (const std::string& part : c.message) CHECK_THAT(verdict.message, Catch::Contains(part));
    // What nothing requires is the same finding, and worth a note at most; that it was not tried yet says nothing.
    if (c.reach == kUntried && !c.sockets.empty()) continue;
    const Verdict unexpected = judge_tcp(machine(c.sockets), c.path, kPort, c.reach, false);
    CHECK(unexpected.code == c.code);
    CHECK(unexpected.message == verdict.message);
    CHECK(unexpected.severity == (c.severity == ok ? ok : Severity::kNote));
  }
}

TEST_CASE("the published path is judged as Fly Proxy's") {
  for (const char* address : {"0.0.0.0", "127.0.0.1", "::1", kSixPn}) {
    INFO(address);
    CHECK(judge_tcp(machine({tcp(address)}), Path::kPublished, kPort, kNo, true).code == judge_tcp(machine({tcp(address)}), kProxy, kPort, kNo, true).code);
  }
}

TEST_CASE("a socket without a living owner is said to be one") {
  const Verdict verdict = judge_tcp(machine({tcp("127.0.0.1", kPort, Family::kDefault, kOrphan)}), kProxy, kPort, kNo, true);
  CHECK(verdict.code == "loopback-only");
  CHECK_THAT(verdict.message, Catch::Contains("a process that is gone"));
}

TEST_CASE("a machine that does not run is told with its own reason, whatever was reached before") {
  const Verdict verdict = judge_tcp(ended("the machine is stopped; its program exited with code 1"), kProxy, kPort, kYes, true);
  CHECK(verdict.code == "not-running");
  CHECK(verdict.severity == Severity::kProblem);
  CHECK(verdict.message == "the machine is stopped; its program exited with code 1");
  CHECK(judge_tcp(ended("stopped"), k6pn, kPort, kNo, false).severity == Severity::kNote);
}

TEST_CASE("a program that ended because it could not listen is told by that, in its own words") {
  using Kind = BindError::Kind;
  for (const auto& [kind, code] : {std::pair(Kind::kNameNotAccepted, "name-not-accepted"), {Kind::kAddressInUse, "address-in-use"},
                                   {Kind::kWildcardsCollide, "wildcards-collide"}, {Kind::kPermissionDenied, "privileged-port"},
                                   {Kind::kAddressNotHere, "address-not-here"}, {Kind::kFamilyNotSupported, "family-not-supported"}}) {
    INFO(code);
    const MachineView view = ended("the machine is stopped; its program exited with code 1", BindError{kind, "bind: what it said"});
    const Verdict verdict = judge_tcp(view, kProxy, kPort, kNo, true);
    CHECK(verdict.code == code);
    CHECK(verdict.severity == Severity::kProblem);
    CHECK_THAT(verdict.message, Catch::Contains("bind: what it said"));
    CHECK(judge_tcp(view, k6pn, kPort, kNo, false).severity == Severity::kNote);
  }
}

TEST_CASE("a program that goes on without its port is told by what it said of that port") {
  auto code = [](std::vector<BoundSocket> sockets, std::uint16_t port, const char* line) {
    MachineView view = machine(std::move(sockets));
    view.bind_error = BindError{BindError::Kind::kAddressInUse, line};
    return judge_tcp(view, kProxy, port, kNo, true).code;
  };
  const char* of_8080 = "Error: listen EADDRINUSE: address already in use :::8080";
  SECTION("with no other socket it is the reason, whichever port it names") {
    CHECK(code({}, 8080, of_8080) == "address-in-use");
    CHECK(code({}, 8080, "[Errno 98] Address already in use") == "address-in-use");
  }
  SECTION("with another socket it is the reason if it names the port") {
    CHECK(code({tcp("::", 3000)}, 8080, of_8080) == "address-in-use");
    CHECK(code({tcp("::", 3000)}, 9090, of_8080) == "wrong-port");
  }
  SECTION("a port is not named by a longer number that has its digits") {
    CHECK(code({tcp("::", 3000)}, 80, of_8080) == "wrong-port");
    CHECK(code({tcp("::", 3000)}, 808, of_8080) == "wrong-port");
    CHECK(code({tcp("::", 3000)}, 80, "2024-05-01T10:80808 bind: address already in use 0.0.0.0:80") == "address-in-use");
  }
  SECTION("a socket on the port tells more") { CHECK(code({tcp("127.0.0.1", 8080)}, 8080, of_8080) == "loopback-only"); }
  SECTION("and one that is reached is all right") {
    MachineView view = machine({tcp("::")});
    view.bind_error = BindError{BindError::Kind::kAddressInUse, of_8080};
    CHECK(judge_tcp(view, kProxy, kPort, kYes, true).code == "ok");
  }
}

TEST_CASE("words for a denied call that may be about a file count for a port that can be denied") {
  MachineView view = ended("the machine is stopped", BindError{BindError::Kind::kPermissionDenied, "Os { code: 13, kind: PermissionDenied }", false});
  CHECK(judge_tcp(view, kProxy, 80, kNo, true).code == "privileged-port");
  CHECK(judge_tcp(view, kProxy, 1024, kNo, true).code == "not-running");
  view.bind_error->is_certain = true;
  CHECK(judge_tcp(view, kProxy, 8080, kNo, true).code == "privileged-port");
}

TEST_CASE("a wrong port is told with its owner, and others with theirs") {
  const MachineView view = machine({tcp("::", 3000), tcp("127.0.0.1", 6379, Family::kDefault, kNginx)});
  CHECK_THAT(judge_tcp(view, kProxy, kPort, kNo, true).message, Catch::Contains("node (pid 42) listens on [::]:3000, and nginx (pid 57) on 127.0.0.1:6379"));
}

TEST_CASE("of several wrong ports the one is named first that others can reach") {
  for (const bool debugger_first : {true, false}) {
    std::vector<BoundSocket> sockets = {tcp("127.0.0.1", 9229, Family::kDefault, kNodesOther), tcp("::", 3000, Family::kDefault, kNginx)};
    if (!debugger_first) std::swap(sockets[0], sockets[1]);
    const Verdict verdict = judge_tcp(machine(sockets), kProxy, kPort, kNo, true);
    CHECK(verdict.code == "wrong-port");
    CHECK_THAT(verdict.message, Catch::Contains("nginx (pid 57) listens on") && !Catch::Contains("loopback"));
  }
}

TEST_CASE("what only serves the runtime itself is not the wrong port") {
  // Phoenix without PHX_SERVER: the node is up, and nobody serves HTTP.
  MachineView beam = machine({tcp("0.0.0.0", 4369, Family::kDefault, 300), tcp("::", 4369, Family::kV6Only, 301), tcp("0.0.0.0", 40123, Family::kDefault, 302)});
  beam.processes = {process(10, {"beam.smp", "--", "-root", "/app"}, {302}), process(20, {"epmd", "-daemon"}, {300, 301})};
  CHECK(judge_tcp(beam, kProxy, kPort, kNo, true).code == "nothing-listening");
  // node --inspect-brk waits for its debugger.
  CHECK(judge_tcp(machine({tcp("127.0.0.1", 9229)}), kProxy, kPort, kNo, true).code == "nothing-listening");
  // Beside a port that was meant they do not count either.
  beam.sockets.push_back(tcp("0.0.0.0", 4000, Family::kDefault, 302));
  const Verdict verdict = judge_tcp(beam, kProxy, kPort, kNo, true);
  CHECK(verdict.code == "wrong-port");
  CHECK_THAT(verdict.message, Catch::Contains("0.0.0.0:4000") && !Catch::Contains("4369"));
}

TEST_CASE("the sockets of one protocol and port are found, and no others") {
  const MachineView view = machine({tcp("0.0.0.0"), tcp("::1"), tcp("::", 3000), udp("0.0.0.0")});
  CHECK(endpoints(sockets_on(view, BoundSocket::Protocol::kTcp, kPort)) == "0.0.0.0:8080, [::1]:8080");
  CHECK(endpoints(sockets_on(view, BoundSocket::Protocol::kUdp, kPort)) == "0.0.0.0:8080");
  CHECK(sockets_on(view, BoundSocket::Protocol::kUdp, 3000).empty());
}

TEST_CASE("a port is split when IPv4 and IPv6 clients meet different programs") {
  const Family v6_only = Family::kV6Only, any = Family::kDefault;
  auto split = [](std::vector<BoundSocket> sockets) { return split_port(machine(std::move(sockets)), kPort); };
  SECTION("one wildcard a family") {
    const auto sentence = split({tcp("0.0.0.0", kPort, any, kNginx), tcp("::", kPort, v6_only, kNode)});
    REQUIRE(sentence);
    CHECK_THAT(*sentence, Catch::Contains("over IPv4 port 8080 is nginx (pid 57)'s (0.0.0.0:8080)") && Catch::Contains("over IPv6 node (pid 42)'s ([::]:8080)"));
  }
  SECTION("the kernel prefers the exact address to a wildcard, and IPv4's wildcard to a dual one") {
    CHECK(split({tcp("::", kPort, any, kNode), tcp("0.0.0.0", kPort, any, kNginx)}));
    CHECK(split({tcp("::", kPort, any, kNode), tcp(kPrivateIpv4, kPort, any, kNginx)}));
    CHECK(split({tcp("0.0.0.0", kPort, any, kNode), tcp("::", kPort, v6_only, kNode), tcp(kSixPn, kPort, any, kNginx)}));
  }
  SECTION("two programs of one name, as their words tell") {
    MachineView view = machine({tcp("0.0.0.0", kPort, any, kNginx), tcp("::", kPort, v6_only, kNode)});
    view.processes = {process(2, {"sh"}, {}), process(42, {"node", "old.js"}, {kNginx}), process(57, {"node", "new.js"}, {kNode})};
    view.parents = {{2, 1}, {42, 2}, {57, 2}};
    const auto sentence = split_port(view, kPort);
    REQUIRE(sentence);
    CHECK_THAT(*sentence, Catch::Contains("node (pid 42)") && Catch::Contains("node (pid 57)"));
    // sh -c "node old.js & exec node new.js"
    view.parents[42] = 57;
    CHECK(split_port(view, kPort));
    // Workers of one master.
    view.parents = {{2, 1}, {40, 2}, {42, 40}, {57, 40}};
    view.processes.insert(view.processes.begin() + 1, process(40, {"node", "cluster.js"}, {}));
    CHECK_FALSE(split_port(view, kPort));
    // A grandchild through a shell is another program again.
    view.parents = {{2, 1}, {40, 1}, {42, 40}, {57, 2}};
    CHECK(split_port(view, kPort));
    // One that was started twice with the same words.
    view.processes[2].command_line = view.processes[3].command_line;
    CHECK_FALSE(split_port(view, kPort));
  }
  SECTION("not by two sockets of one program, nor by one that serves both") {
    CHECK_FALSE(split({tcp("0.0.0.0", kPort, any, kNode), tcp("::", kPort, v6_only, kNodesOther)}));
    CHECK_FALSE(split({tcp("::")}));
  }
  SECTION("not by loopback, another port or another protocol") {
    CHECK_FALSE(split({tcp("0.0.0.0", kPort, any, kNode), tcp("::1", kPort, any, kNginx)}));
    CHECK_FALSE(split({tcp("0.0.0.0", kPort, any, kNode), tcp("::", 3000, v6_only, kNginx)}));
    CHECK_FALSE(split({tcp("0.0.0.0", kPort, any, kNode), udp("::", kPort, v6_only, kNginx)}));
  }
  SECTION("not by an owner that nobody knows") { CHECK_FALSE(split({tcp("0.0.0.0", kPort, any, kNode), tcp("::", kPort, v6_only, kOrphan)})); }
}
