#include "flylocal/report/expectations.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/report/app.hpp"

using namespace flylocal::report;
using namespace std::chrono_literals;
using flylocal::report::tests::app;

namespace {

Expectations expect(const flylocal::project::AppSpec& spec, const char* group = "app") { return expectations_of(spec, spec.groups.at(group)); }
Expectations expect(const char* fly_toml) { return expect(app(fly_toml)); }

std::string service(const char* ports) { return "[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\n" + std::string(ports); }
TcpExpectation port_of(const std::string& fly_toml) {
  const Expectations found = expect(fly_toml.c_str());
  REQUIRE(found.tcp.size() == 1);
  CHECK(found.tcp[0].port == 8080);
  return found.tcp[0];
}

}  // namespace

TEST_CASE("an http_service has to be reached by Fly Proxy in HTTP, and over 6PN need not be") {
  const Expectations found = expect("[http_service]\ninternal_port = 3000\n");
  REQUIRE(found.tcp.size() == 1);
  CHECK(found.tcp[0].port == 3000);
  CHECK(found.tcp[0].proxy);
  CHECK(found.tcp[0].http);
  CHECK_FALSE(found.tcp[0].six_pn);
  CHECK_FALSE(found.tcp[0].proxy_protocol);
  CHECK_FALSE(found.tcp[0].raw_https);
  CHECK(found.udp.empty());
  CHECK(found.checks.empty());
  CHECK(found.app_has_services);
}

TEST_CASE("the handlers of a service's ports tell what is said to the program") {
  CHECK(port_of(service("[[services.ports]]\nport = 80\nhandlers = [\"http\"]\n")).http);
  CHECK(port_of(service("[[services.ports]]\nport = 443\nhandlers = [\"tls\", \"http\"]\n")).http);
  CHECK_FALSE(port_of(service("[[services.ports]]\nport = 8883\nhandlers = [\"tls\"]\n")).http);
  CHECK_FALSE(port_of(service("[[services.ports]]\nport = 5432\n")).http);
  // One of several ports is enough, and one in HTTP/2 is another language.
  CHECK(port_of(service("[[services.ports]]\nport = 5432\n[[services.ports]]\nport = 80\nhandlers = [\"http\"]\n")).http);
  CHECK_FALSE(port_of(service("[[services.ports]]\nport = 443\nhandlers = [\"tls\", \"http\"]\nhttp_options = { h2_backend = true }\n")).http);
  CHECK(port_of(service("[[services.ports]]\nport = 443\nhandlers = [\"tls\", \"http\"]\nhttp_options = { h2_backend = true }\n")).http2);
  CHECK_FALSE(port_of(service("[[services.ports]]\nport = 443\nhandlers = [\"tls\", \"http\"]\n")).http2);
  const TcpExpectation both = port_of(service("[[services.ports]]\nport = 80\nhandlers = [\"http\"]\n[[services.ports]]\nport = 443\nhandlers = [\"tls\", \"http\"]\nhttp_options = { h2_backend = true }\n"));
  CHECK((both.http && both.http2));
  CHECK(port_of(service("[[services.ports]]\nport = 5432\nhandlers = [\"proxy_proto\"]\n")).proxy_protocol);
  CHECK_FALSE(port_of(service("[[services.ports]]\nport = 5432\n")).proxy_protocol);
}

TEST_CASE("the TLS of port 443 reaches the program where no handler is") {
  CHECK(port_of(service("[[services.ports]]\nport = 443\n")).raw_https);
  for (const char* ports : {"[[services.ports]]\nport = 443\nhandlers = [\"tls\"]\n", "[[services.ports]]\nport = 443\nhandlers = [\"http\"]\n",
                            "[[services.ports]]\nport = 443\nhandlers = [\"pg_tls\"]\n", "[[services.ports]]\nport = 8443\n",
                            "[[services.ports]]\nport = 443\nhandlers = [\"proxy_proto\"]\n",       // TLS comes behind a header then
                            "[[services.ports]]\nstart_port = 1\nend_port = 65535\n"}) {  // a game, and no web server
    INFO(ports);
    CHECK_FALSE(port_of(service(ports)).raw_https);
  }
}

TEST_CASE("services of one port are one expectation, those of UDP are apart, and each stands once") {
  const Expectations found = expect(
      "[http_service]\ninternal_port = 8080\n"
      "[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\n[[services.ports]]\nport = 5000\nhandlers = [\"proxy_proto\"]\n"
      "[[services]]\ninternal_port = 53\nprotocol = \"udp\"\n[[services.ports]]\nport = 53\n"
      "[[services]]\ninternal_port = 53\nprotocol = \"udp\"\n[[services.ports]]\nport = 53\n"
      "[[services]]\ninternal_port = 50\nprotocol = \"udp\"\n[[services.ports]]\nport = 50\n"
      "[[services]]\ninternal_port = 53\nprotocol = \"tcp\"\n[[services.ports]]\nport = 53\n");
  REQUIRE(found.tcp.size() == 2);
  CHECK(found.tcp[0].port == 53);
  CHECK(found.tcp[1].port == 8080);
  CHECK(found.tcp[1].http);
  CHECK(found.tcp[1].proxy_protocol);
  CHECK(found.udp == std::vector<std::uint16_t>{50, 53});
}

TEST_CASE("an app has services if Fly.io leads TCP or UDP to one of its groups") {
  const auto two_groups = app("[processes]\nweb = \"a\"\nworker = \"b\"\n[http_service]\ninternal_port = 8080\nprocesses = [\"web\"]\n");
  const Expectations worker = expectations_of(two_groups, two_groups.groups.at("worker"));
  CHECK(worker.app_has_services);
  CHECK(worker.tcp.empty());
  CHECK(expect("[[services]]\ninternal_port = 53\nprotocol = \"udp\"\n[[services.ports]]\nport = 53\n").app_has_services);
  CHECK_FALSE(expect("[env]\nA = \"b\"\n").app_has_services);
  auto private_app = app("[env]\nA = \"b\"\n");
  private_app.six_pn_ports = {5432};
  CHECK_FALSE(expect(private_app).app_has_services);
}

TEST_CASE("[[expect]] adds 6PN: to the groups with that service, else to the default group") {
  SECTION("a service") {
    auto spec = app("[http_service]\ninternal_port = 8080\n");
    spec.six_pn_ports = {8080, 9000};
    const Expectations found = expect(spec);
    REQUIRE(found.tcp.size() == 2);
    CHECK((found.tcp[0].port == 8080 && found.tcp[0].proxy && found.tcp[0].six_pn));
    CHECK((found.tcp[1].port == 9000 && !found.tcp[1].proxy && found.tcp[1].six_pn));
  }
  SECTION("a service of two groups, and none of the third") {
    auto spec = app(
        "[processes]\nadmin = \"a\"\nweb = \"b\"\napp = \"c\"\n"
        "[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\nprocesses = [\"admin\", \"web\"]\n[[services.ports]]\nport = 443\nhandlers = [\"tls\"]\n");
    spec.six_pn_ports = {8080};
    for (const char* group : {"admin", "web"}) {
      INFO(group);
      const Expectations found = expect(spec, group);
      REQUIRE(found.tcp.size() == 1);
      CHECK(found.tcp[0].six_pn);
    }
    CHECK(expect(spec, "app").tcp.empty());
  }
  SECTION("nobody's service") {
    auto spec = app("[processes]\nzoo = \"z\"\nbee = \"b\"\n");
    spec.six_pn_ports = {5432};
    CHECK(expect(spec, "bee").tcp.size() == 1);
    CHECK(expect(spec, "zoo").tcp.empty());
  }
}

TEST_CASE("checks are made as fly.toml has them, with its manual's values where it is silent") {
  const Expectations found = expect(
      "[http_service]\ninternal_port = 8080\n"
      "[[http_service.checks]]\npath = \"/up\"\nmethod = \"HEAD\"\ntimeout = \"7s\"\ngrace_period = \"20s\"\nheaders = { X-Forwarded-Proto = \"https\" }\n"
      "[[services]]\ninternal_port = 5432\nprotocol = \"tcp\"\n[[services.ports]]\nport = 5432\n[[services.tcp_checks]]\ninterval = \"10s\"\n"
      "[checks.alive]\ntype = \"http\"\nport = 9090\npath = \"/alive\"\ngrace_period = \"30s\"\n");
  REQUIRE(found.checks.size() == 3);
  const CheckExpectation &up = found.checks[0], &tcp = found.checks[1], &alive = found.checks[2];
  CHECK(up.name == "fly.toml:4");
  CHECK((up.type == flylocal::config::CheckType::kHttp && up.port == 8080));
  CHECK(up.request.method == "HEAD");
  CHECK(up.request.path == "/up");
  CHECK(up.request.headers.at("X-Forwarded-Proto") == "https");
  CHECK(up.timeout == 7s);
  CHECK((tcp.type == flylocal::config::CheckType::kTcp && tcp.port == 5432));
  CHECK(tcp.timeout == 2s);
  CHECK(alive.name == "[checks.alive]");
  CHECK((alive.type == flylocal::config::CheckType::kHttp && alive.port == 9090));
  CHECK(found.grace_period == 30s);
}

TEST_CASE("a report waits as long as the checks' longest grace_period, and at least 15 s (platform facts 8)") {
  auto with_grace = [](const char* grace) {
    return patience(expect(("[http_service]\ninternal_port = 8080\n[[http_service.checks]]\npath = \"/\"\ngrace_period = \"" + std::string(grace) + "\"\n").c_str()));
  };
  CHECK(patience(expect("[env]\nA = \"b\"\n")) == 15s);
  CHECK(with_grace("5s") == 15s);
  CHECK(with_grace("15s") == 15s);
  CHECK(with_grace("40s") == 40s);
}

TEST_CASE("what fly.toml alone tells comes with the expectations") {
  const Expectations found = expect("[[services]]\ninternal_port = 8080\nprotocol = \"tcp\"\n");
  REQUIRE(found.of_file.size() == 1);
  CHECK(found.of_file[0].code == "service-incomplete");
}
