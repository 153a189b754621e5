#include "flylocal/report/service_findings.hpp"

#include <catch2/catch.hpp>

#include "flylocal/report/explanation.hpp"
#include "tests/unit/report/app.hpp"

using namespace flylocal::report;
using flylocal::launch::IpAddressKind;
using flylocal::report::tests::app;

namespace {

constexpr auto kV4 = IpAddressKind::kV4, kSharedV4 = IpAddressKind::kSharedV4, kV6 = IpAddressKind::kV6, kPrivateV6 = IpAddressKind::kPrivateV6;
using Addresses = std::set<IpAddressKind>;

std::vector<Result> find(const char* fly_toml, Addresses addresses = {}, const char* group = "app") {
  auto spec = app(fly_toml);
  spec.ip_addresses = std::move(addresses);
  return service_findings(spec, spec.groups.at(group).config);
}

constexpr const char* kUdp = "[[services]]\ninternal_port = 5353\nprotocol = \"udp\"\n[[services.ports]]\nport = 5353\n";
constexpr const char* kRawTcp = "[[services]]\ninternal_port = 5432\nprotocol = \"tcp\"\n[[services.ports]]\nport = 5432\n";
constexpr const char* kForceHttps = "[http_service]\ninternal_port = 8080\nforce_https = true\n";

}  // namespace

TEST_CASE("fly.toml alone tells of services that Fly.io takes and that do not work there") {
  struct Case {
    const char* name;
    const char* fly_toml;
    Addresses addresses;
    const char* code;  ///< "": nothing is found
    Severity severity = Severity::kOk;
    Path path = Path::kProxy;
    int port = 0;
    const char* target = "";
  };
  const Case cases[] = {
      {"a plain web app", "[http_service]\ninternal_port = 8080\n", {}, ""},
      {"a plain web app with addresses", "[http_service]\ninternal_port = 8080\nforce_https = true\n", {kSharedV4, kV6}, ""},
      {"an app without services", "[env]\nA = \"b\"\n", {}, ""},
      // Incomplete.
      {"no protocol", "[[services]]\ninternal_port = 8080\n[[services.ports]]\nport = 443\nhandlers = [\"tls\", \"http\"]\n", {}, "service-incomplete", Severity::kWarning, Path::kProxy, 8080, "fly.toml:2"},
      {"no ports", "[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\n", {}, "service-incomplete", Severity::kWarning, Path::kProxy, 8080, "fly.toml:2"},
      // UDP.
      {"UDP, addresses not known", kUdp, {}, "udp-needs-ipv4", Severity::kNote, Path::kUdp, 5353, "fly.toml:2"},
      {"UDP on a shared IPv4", kUdp, {kSharedV4, kV6}, "udp-needs-ipv4", Severity::kProblem, Path::kUdp, 5353, "fly.toml:2"},
      {"UDP on a dedicated IPv4", kUdp, {kV4, kV6}, ""},
      {"UDP to another port", "[[services]]\ninternal_port = 7443\nprotocol = \"udp\"\n[[services.ports]]\nport = 443\n", {kV4}, "udp-port-differs", Severity::kProblem, Path::kUdp, 7443, "fly.toml:5"},
      {"UDP on a range without the internal port", "[[services]]\ninternal_port = 9\nprotocol = \"udp\"\n[[services.ports]]\nstart_port = 10\nend_port = 20\n", {kV4}, "udp-port-differs", Severity::kProblem, Path::kUdp, 9, "fly.toml:5"},
      {"UDP on a range with the internal port in it", "[[services]]\ninternal_port = 10\nprotocol = \"udp\"\n[[services.ports]]\nstart_port = 10\nend_port = 20\n", {kV4}, ""},
      // Raw TCP.
      {"raw TCP, addresses not known", kRawTcp, {}, "raw-tcp-shared-ipv4", Severity::kNote, Path::kProxy, 5432, "fly.toml:5"},
      {"raw TCP on a shared IPv4", kRawTcp, {kSharedV4, kV6}, "raw-tcp-shared-ipv4", Severity::kWarning, Path::kProxy, 5432, "fly.toml:5"},
      {"raw TCP on a dedicated IPv4", kRawTcp, {kV4}, ""},
      {"raw TCP over Flycast alone", kRawTcp, {kPrivateV6}, ""},
      {"TLS on any port has its name", "[[services]]\ninternal_port = 1883\nprotocol = \"tcp\"\n[[services.ports]]\nport = 8883\nhandlers = [\"tls\"]\n", {kSharedV4}, ""},
      {"PostgreSQL's TLS, too", "[[services]]\ninternal_port = 5432\nprotocol = \"tcp\"\n[[services.ports]]\nport = 5432\nhandlers = [\"pg_tls\"]\n", {kSharedV4}, ""},
      {"HTTP on port 80", "[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\n[[services.ports]]\nport = 80\nhandlers = [\"http\"]\n", {kSharedV4}, ""},
      {"HTTP on another port", "[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\n[[services.ports]]\nport = 8080\nhandlers = [\"http\"]\n", {kSharedV4}, "raw-tcp-shared-ipv4", Severity::kWarning, Path::kProxy, 8080, "fly.toml:5"},
      {"443 without handlers", "[[services]]\ninternal_port = 8443\nprotocol = \"tcp\"\n[[services.ports]]\nport = 443\n", {kSharedV4}, "raw-tcp-shared-ipv4", Severity::kWarning, Path::kProxy, 8443, "fly.toml:5"},
      // Flycast, and machines that sleep for ever.
      {"force_https with Flycast", kForceHttps, {kPrivateV6}, "force-https-flycast", Severity::kProblem, Path::kProxy, 8080, "fly.toml"},
      {"force_https with public addresses", kForceHttps, {kV4, kV6}, ""},
      {"stopped and never started", "[http_service]\ninternal_port = 8080\nauto_stop_machines = \"stop\"\nauto_start_machines = false\n", {}, "autostop-without-autostart", Severity::kWarning, Path::kProxy, 8080, "fly.toml:2"},
      {"suspended and never started", "[http_service]\ninternal_port = 8080\nauto_stop_machines = \"suspend\"\nauto_start_machines = false\n", {}, "autostop-without-autostart", Severity::kWarning, Path::kProxy, 8080, "fly.toml:2"},
      {"stopped and started", "[http_service]\ninternal_port = 8080\nauto_stop_machines = \"stop\"\n", {}, ""},
      {"neither stopped nor started", "[http_service]\ninternal_port = 8080\nauto_start_machines = false\n", {}, ""},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const auto found = find(c.fly_toml, c.addresses);
    if (!*c.code) {
      for (const Result& one : found) UNSCOPED_INFO(one.code << ": " << one.message);
      CHECK(found.empty());
      continue;
    }
    REQUIRE(found.size() == 1);
    CHECK(found[0].code == c.code);
    CHECK(explain(found[0].code));
    CHECK(found[0].severity == c.severity);
    CHECK(found[0].expected == (c.severity == Severity::kProblem));
    CHECK(found[0].path == c.path);
    CHECK(found[0].port == c.port);
    CHECK_THAT(found[0].target, Catch::StartsWith(c.target));
    CHECK_FALSE(found[0].message.empty());
    CHECK_FALSE(found[0].fix.empty());
  }
}

TEST_CASE("all that is wrong with a service is found, each of its ports by itself") {
  const auto found = find(
      "[[services]]\ninternal_port = 8080\nauto_stop_machines = true\nauto_start_machines = false\n"
      "[[services.ports]]\nport = 5432\n[[services.ports]]\nport = 5433\n",
      {kSharedV4});
  std::vector<std::string> codes;
  for (const Result& one : found) codes.push_back(one.code);
  CHECK(codes == std::vector<std::string>{"service-incomplete", "raw-tcp-shared-ipv4", "raw-tcp-shared-ipv4", "autostop-without-autostart"});
  CHECK_THAT(found[1].message, Catch::Contains("5432"));
  CHECK_THAT(found[2].message, Catch::Contains("5433"));
}

TEST_CASE("a group answers for its own services") {
  const char* fly_toml =
      "[processes]\nweb = \"a\"\nbot = \"b\"\n[[services]]\ninternal_port = 8080\nprocesses = [\"bot\"]\nprotocol = \"tcp\"\n";
  CHECK(find(fly_toml, {}, "web").empty());
  CHECK(find(fly_toml, {}, "bot").size() == 1);
}
