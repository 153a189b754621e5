#include "flylocal/report/verdict.hpp"

#include <catch2/catch.hpp>

#include "flylocal/report/explanation.hpp"

using namespace flylocal::report;
using flylocal::netns::BoundSocket;
using flylocal::netns::GuestProcess;
using boost::asio::ip::make_address;

namespace {

constexpr std::uint32_t kNode = 100;      // inodes, the keys from sockets to processes
constexpr std::uint32_t kDebugger = 101;
constexpr std::uint32_t kEpmd = 200;
constexpr std::uint32_t kOrphan = 900;

enum class Family { kDefault, kV6Only };

BoundSocket tcp(const char* address, std::uint16_t port, Family family = Family::kDefault, std::uint32_t inode = kNode) {
  return {BoundSocket::Protocol::kTcp, make_address(address), port, family == Family::kV6Only, 0, 511, inode};
}

BoundSocket udp(const char* address, std::uint16_t port) {
  return {BoundSocket::Protocol::kUdp, make_address(address), port, false, 0, 0, kNode};
}

/// A machine whose service is on port 8080.
Evidence evidence(std::vector<BoundSocket> sockets, Path proxy, Path six_pn) {
  Evidence seen;
  seen.port = 8080;
  seen.private_ipv4 = boost::asio::ip::make_address_v4("172.19.0.2");
  seen.global_services = boost::asio::ip::make_address_v4("172.19.0.3");
  seen.six_pn = boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2");
  seen.sockets = std::move(sockets);
  seen.processes = {{12, "epmd", {"epmd", "-daemon"}, "/", {kEpmd}},
                    {42, "node", {"node", "server.js"}, "/app", {kNode, kDebugger}}};
  seen.proxy = proxy;
  seen.six_pn_path = six_pn;
  return seen;
}

constexpr const char* kSixPn = "fdaa:0:18:a7b:7d:f066:b83b:2";
constexpr auto kOk = Finding::Severity::kOk;
constexpr auto kPending = Finding::Severity::kPending;
constexpr auto kProblem = Finding::Severity::kProblem;

}  // namespace

TEST_CASE("what listens where gives the verdict, and its sentence names the process and the port") {
  struct Case {
    const char* name;
    std::vector<BoundSocket> sockets;
    Path proxy, six_pn;
    Finding::Severity severity;
    const char* code;
    std::vector<std::string> sentence;  ///< what it has to contain
  };
  const Path yes = Path::kReachable, no = Path::kRefused, slow = Path::kTimedOut;
  const std::string node = "node (pid 42)";
  const Case cases[] = {
      // Reachable: the connects decide.
      {"dual-stack wildcard", {tcp("::", 8080)}, yes, yes, kOk, "ok", {node, "[::]:8080"}},
      {"one wildcard a family", {tcp("0.0.0.0", 8080), tcp("::", 8080, Family::kV6Only)}, yes, yes, kOk, "ok", {node, "0.0.0.0:8080"}},
      {"IPv4 wildcard", {tcp("0.0.0.0", 8080)}, yes, no, kOk, "ipv4-only", {node, "0.0.0.0:8080", "6PN", "[::]:8080"}},
      {"IPv4 wildcard as IPv4-mapped", {tcp("::ffff:0.0.0.0", 8080)}, yes, no, kOk, "ipv4-only", {node, ":8080"}},
      {"private IPv4 address", {tcp("172.19.0.2", 8080)}, yes, no, kOk, "ipv4-only", {node, "172.19.0.2:8080"}},
      {"private IPv4 and 6PN address", {tcp("172.19.0.2", 8080), tcp(kSixPn, 8080)}, yes, yes, kOk, "ok", {node, ":8080"}},
      // Loopback, in each of its spellings.
      {"127.0.0.1", {tcp("127.0.0.1", 8080)}, no, no, kProblem, "loopback-only", {node, "127.0.0.1:8080", "0.0.0.0:8080", "[::]:8080"}},
      {"another of 127/8", {tcp("127.0.1.1", 8080)}, no, no, kProblem, "loopback-only", {node, "127.0.1.1:8080"}},
      {"::1", {tcp("::1", 8080)}, no, no, kProblem, "loopback-only", {node, "[::1]:8080"}},
      {"::ffff:127.0.0.1", {tcp("::ffff:127.0.0.1", 8080)}, no, no, kProblem, "loopback-only", {node, "127.0.0.1", ":8080"}},
      {"both loopbacks", {tcp("127.0.0.1", 8080), tcp("::1", 8080)}, no, no, kProblem, "loopback-only", {node, "127.0.0.1:8080", "[::1]:8080"}},
      // IPv6 without IPv4.
      {"[::] with IPV6_V6ONLY", {tcp("::", 8080, Family::kV6Only)}, no, yes, kProblem, "ipv6-only", {node, "[::]:8080", "IPV6_V6ONLY", "0.0.0.0:8080"}},
      {"V6ONLY beside 127.0.0.1", {tcp("127.0.0.1", 8080), tcp("::", 8080, Family::kV6Only)}, no, yes, kProblem, "ipv6-only", {node, ":8080"}},
      {"the 6PN address", {tcp(kSixPn, 8080)}, no, yes, kProblem, "6pn-only", {node, kSixPn, ":8080", "0.0.0.0:8080"}},
      {"the 6PN address and ::1", {tcp("::1", 8080), tcp(kSixPn, 8080)}, no, yes, kProblem, "6pn-only", {node, kSixPn}},
      // fly-global-services is for UDP.
      {"fly-global-services", {tcp("172.19.0.3", 8080)}, no, no, kProblem, "global-services-only", {node, "172.19.0.3:8080", "0.0.0.0:8080", "UDP"}},
      {"fly-global-services as IPv4-mapped", {tcp("::ffff:172.19.0.3", 8080)}, no, no, kProblem, "global-services-only", {node, "172.19.0.3"}},
      // A socket in the right place that nevertheless does not serve.
      {"refused", {tcp("0.0.0.0", 8080)}, no, no, kProblem, "refused", {node, "0.0.0.0:8080", "172.19.0.2:8080"}},
      {"some other address", {tcp("10.1.2.3", 8080)}, no, no, kProblem, "refused", {node, "10.1.2.3:8080"}},
      // Another port, or none.
      {"wrong port", {tcp("::", 3000)}, no, no, kProblem, "wrong-port", {node, "[::]:3000", "internal_port = 3000", "8080"}},
      {"wrong port beside a UDP socket on the right one", {udp("0.0.0.0", 8080), tcp("0.0.0.0", 3000)}, no, no, kProblem, "wrong-port", {node, ":3000", "8080"}},
      {"UDP only", {udp("0.0.0.0", 8080)}, no, no, kProblem, "udp-only", {node, "UDP", "8080"}},
      {"UDP on another port", {udp("0.0.0.0", 5353)}, no, no, kPending, "nothing-listening", {"8080"}},
      {"nothing", {}, no, no, kPending, "nothing-listening", {"8080"}},
      {"nothing, not even tried", {}, Path::kUntried, Path::kUntried, kPending, "nothing-listening", {"8080"}},
      // Nobody accepts.
      {"accept queue full", {{BoundSocket::Protocol::kTcp, make_address("0.0.0.0"), 8080, false, 6, 5, kNode}}, slow, slow, kProblem, "not-accepting", {node, ":8080", "6", "5"}},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const Finding finding = judge(evidence(c.sockets, c.proxy, c.six_pn));
    INFO(finding.sentence);
    CHECK(finding.code == c.code);
    CHECK(explain(finding.code));
    CHECK(finding.severity == c.severity);
    CHECK(finding.port == 8080);
    CHECK(finding.proxy == c.proxy);
    CHECK(finding.six_pn == c.six_pn);
    for (const std::string& part : c.sentence) CHECK_THAT(finding.sentence, Catch::Contains(part));
  }
}

TEST_CASE("a machine that does not run is told with its own reason, whatever its sockets were") {
  Evidence seen = evidence({tcp("0.0.0.0", 8080)}, Path::kReachable, Path::kReachable);
  seen.not_running = "node exited with code 1";
  const Finding finding = judge(seen);
  CHECK(finding.code == "not-running");
  CHECK(finding.severity == kProblem);
  CHECK(finding.sentence == "node exited with code 1");
}

TEST_CASE("a port that flylocal.toml expects on 6PN is judged by that path") {
  struct Case {
    const char* name;
    Requirement required;
    const char* address;
    Path proxy, six_pn;
    Finding::Severity severity;
    const char* code;
  };
  const Path yes = Path::kReachable, no = Path::kRefused;
  const Requirement six_pn_only{.proxy = false, .six_pn = true}, both{.proxy = true, .six_pn = true};
  const Case cases[] = {
      {"expected and there", six_pn_only, kSixPn, no, yes, kOk, "ok"},
      {"expected, and on IPv4 instead", six_pn_only, "0.0.0.0", yes, no, kProblem, "6pn-unreachable"},
      {"expected, and on loopback", six_pn_only, "127.0.0.1", no, no, kProblem, "6pn-unreachable"},
      {"a service that is expected on 6PN, too, and is on both", both, "::", yes, yes, kOk, "ok"},
      {"a service that is expected on 6PN, too, and is on IPv4 only", both, "0.0.0.0", yes, no, kProblem, "6pn-unreachable"},
      {"a service that is expected on 6PN, too, and is there only", both, kSixPn, no, yes, kProblem, "6pn-only"},
      {"a service that is expected on 6PN, too, and is on loopback", both, "127.0.0.1", no, no, kProblem, "loopback-only"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    Evidence seen = evidence({tcp(c.address, 8080)}, c.proxy, c.six_pn);
    seen.required = c.required;
    const Finding finding = judge(seen);
    INFO(finding.sentence);
    CHECK(finding.code == c.code);
    CHECK(explain(finding.code));
    CHECK(finding.severity == c.severity);
    CHECK_THAT(finding.sentence, Catch::Contains("node (pid 42)") && Catch::Contains(":8080"));
  }
}

TEST_CASE("a machine without a port to look at only has to run") {
  Evidence seen = evidence({}, Path::kUntried, Path::kUntried);
  seen.port = 0;
  seen.required.proxy = false;
  CHECK(judge(seen).code == "running");
  CHECK(judge(seen).severity == kOk);
  seen.not_running = "worker exited with code 2";
  CHECK(judge(seen).code == "not-running");
  CHECK(judge(seen).severity == kProblem);
}

TEST_CASE("a port that answers is well even if its socket could not be read") {
  const Finding finding = judge(evidence({}, Path::kReachable, Path::kReachable));
  CHECK(finding.code == "ok");
  CHECK(finding.severity == kOk);
}

TEST_CASE("a socket without a living owner is said to be one") {
  const Finding finding = judge(evidence({tcp("127.0.0.1", 8080, Family::kDefault, kOrphan)}, Path::kRefused, Path::kRefused));
  CHECK(finding.code == "loopback-only");
  CHECK_THAT(finding.sentence, Catch::Contains("a process that is gone"));
}

TEST_CASE("of several wrong ports the advice is one that others can reach") {
  SECTION("not a debugger on loopback") {
    const Finding finding = judge(evidence({tcp("127.0.0.1", 9229, Family::kDefault, kDebugger), tcp("::", 3000)}, Path::kRefused, Path::kRefused));
    CHECK(finding.code == "wrong-port");
    CHECK_THAT(finding.sentence, Catch::Contains("internal_port = 3000"));
  }
  SECTION("whichever comes first") {
    const Finding finding = judge(evidence({tcp("0.0.0.0", 3000), tcp("127.0.0.1", 9229, Family::kDefault, kDebugger)}, Path::kRefused, Path::kRefused));
    CHECK_THAT(finding.sentence, Catch::Contains("internal_port = 3000"));
  }
}

TEST_CASE("a wrong port that is bound to loopback is not advised as it is") {
  const Finding finding = judge(evidence({tcp("127.0.0.1", 3000)}, Path::kRefused, Path::kRefused));
  CHECK(finding.code == "wrong-port");
  // The right port alone would not help: the next report would say loopback-only.
  CHECK_THAT(finding.sentence, Catch::Contains("0.0.0.0"));
}
