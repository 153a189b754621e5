#include "flylocal/report/udp_verdict.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/report/machine.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;

namespace {

/// The answer to a datagram; without an address there was none.
UdpAnswer answered(const char* from) { return {true, boost::asio::ip::udp::endpoint(boost::asio::ip::make_address(from), kPort)}; }
const UdpAnswer kSilence{true, std::nullopt};
const UdpAnswer kUnasked{};

}  // namespace

TEST_CASE("the source of the answer decides, and without an answer where the socket is bound (bindcatalog section 7)") {
  struct Case {
    const char* name;
    std::vector<BoundSocket> sockets;
    UdpAnswer answer;
    Severity severity;
    const char* code;
    std::vector<std::string> message;  ///< what it has to contain
  };
  const Family v6_only = Family::kV6Only;
  const Severity ok = Severity::kOk, problem = Severity::kProblem, note = Severity::kNote, pending = Severity::kPending;
  const std::string node = "node (pid 42)";
  const Case cases[] = {
      {"sock.bind(('', 8080)), which answers from its first address", {udp("0.0.0.0")}, answered(kPrivateIpv4), problem, "udp-wrong-source", {node, "0.0.0.0:8080", "172.19.0.2", "172.19.0.3"}},
      {"dgram udp6, Go, Rust, Java on a dual wildcard", {udp("::")}, answered(kPrivateIpv4), problem, "udp-wrong-source", {node, "[::]:8080", "172.19.0.2"}},
      {"nsd: a wildcard a family", {udp("0.0.0.0"), udp("::", kPort, v6_only)}, answered(kPrivateIpv4), problem, "udp-wrong-source", {"0.0.0.0:8080, [::]:8080"}},
      {"fly-global-services", {udp(kGlobalServices)}, answered(kGlobalServices), ok, "ok", {node, "172.19.0.3"}},
      {"fly-global-services as IPv4-mapped (Java)", {udp("::ffff:172.19.0.3")}, answered(kGlobalServices), ok, "ok", {node}},
      {"dnsmasq, unbound: a wildcard with IP_PKTINFO", {udp("0.0.0.0"), udp("::", kPort, v6_only)}, answered(kGlobalServices), ok, "ok", {node}},
      {"named, turnserver: one socket an address", {udp("127.0.0.1"), udp(kPrivateIpv4), udp(kGlobalServices), udp(kSixPn)}, answered(kGlobalServices), ok, "ok", {node}},
      // No answer: the protocol is not known.
      {"fly-global-services, silent", {udp(kGlobalServices)}, kSilence, ok, "ok", {node, "172.19.0.3:8080"}},
      {"one socket an address, silent", {udp(kPrivateIpv4), udp(kGlobalServices)}, kSilence, ok, "ok", {node}},
      {"a wildcard, silent", {udp("0.0.0.0")}, kSilence, note, "udp-unanswered", {node, "0.0.0.0:8080"}},
      {"a dual wildcard, silent", {udp("::")}, kSilence, note, "udp-unanswered", {node, "[::]:8080"}},
      {"a wildcard, not asked", {udp("0.0.0.0")}, kUnasked, pending, "udp-unanswered", {"not asked"}},
      // Datagrams do not arrive.
      {"the private IPv4 address", {udp(kPrivateIpv4)}, kSilence, problem, "udp-unreachable", {node, "172.19.0.2:8080", "172.19.0.3"}},
      {"127.0.0.1", {udp("127.0.0.1")}, kSilence, problem, "udp-unreachable", {node, "127.0.0.1:8080"}},
      {"unbound without interface: both loopbacks", {udp("127.0.0.1"), udp("::1")}, kSilence, problem, "udp-unreachable", {node, "[::1]:8080"}},
      {"fly-local-6pn", {udp(kSixPn)}, kSilence, problem, "udp-unreachable", {node, kSixPn}},
      {"udp6 with IPV6_V6ONLY", {udp("::", kPort, v6_only)}, kSilence, problem, "udp-unreachable", {node, "[::]:8080"}},
      {"127.0.0.1, which needs no question", {udp("127.0.0.1")}, kUnasked, problem, "udp-unreachable", {node}},
      // No socket.
      {"nothing", {}, kUnasked, pending, "udp-not-listening", {"8080"}},
      {"TCP on the port", {tcp("0.0.0.0")}, kUnasked, pending, "udp-not-listening", {"8080"}},
      {"UDP on another port", {udp(kGlobalServices, 5353)}, kUnasked, pending, "udp-not-listening", {"8080"}},
  };
  for (const Case& c : cases) {
    const Verdict verdict = judge_udp(machine(c.sockets), kPort, c.answer);
    INFO(c.name << ": " << verdict.message);
    CHECK(verdict.code == c.code);
    CHECK(verdict.severity == c.severity);
    for (const std::string& part : c.message) CHECK_THAT(verdict.message, Catch::Contains(part));
  }
}

TEST_CASE("a machine that does not run is told with its reason") {
  MachineView view = machine({});
  view.not_running = "the machine is stopped";
  CHECK(judge_udp(view, kPort, kUnasked).code == "not-running");
  CHECK(judge_udp(view, kPort, kUnasked).severity == Severity::kProblem);
  view.bind_error = BindError{BindError::Kind::kAddressInUse, "bind: Address already in use"};
  CHECK(judge_udp(view, kPort, kUnasked).code == "address-in-use");
}

TEST_CASE("a program that could not bind its UDP socket is told by what it said, whatever it has of TCP") {
  for (const auto& sockets : {std::vector<BoundSocket>{}, {tcp("0.0.0.0")}, {tcp("0.0.0.0", 3000)}}) {
    INFO(endpoints(sockets));
    MachineView view = machine(sockets);
    view.bind_error = BindError{BindError::Kind::kPermissionDenied, "bind: permission denied"};
    const Verdict verdict = judge_udp(view, kPort, kUnasked);
    CHECK(verdict.code == "privileged-port");
    CHECK(verdict.severity == Severity::kProblem);
  }
}
