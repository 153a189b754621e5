#include "flylocal/report/advice.hpp"

#include <catch2/catch.hpp>

#include "flylocal/report/explanation.hpp"
#include "tests/unit/report/machine.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;

namespace {

constexpr std::uint32_t kSocket = 100;

/// A machine whose one program holds a socket on the service's port.
MachineView running(std::vector<std::string> command_line) {
  MachineView view = machine({tcp("127.0.0.1", kPort, Family::kDefault, kSocket)});
  view.processes = {process(42, std::move(command_line), {kSocket})};
  return view;
}

std::string advise_program(std::vector<std::string> command_line, std::string_view code) {
  const MachineView view = running(std::move(command_line));
  return advise(view, program_on(view, kPort), code, kPort);
}

}  // namespace

TEST_CASE("a known program is told its own way, with the service's port") {
  struct Case {
    std::vector<std::string> command_line;
    const char* code;
    const char* fix;
  };
  const Case cases[] = {
      {{"node", "/app/node_modules/.bin/vite"}, "loopback-only", "Vite: vite --host :: --port 8080"},
      {{"node", "/app/node_modules/.bin/vite"}, "host-refused", "Vite: server: { allowedHosts: ['.fly.dev', '.internal'] } in vite.config"},
      {{"python3", "-m", "flask", "run"}, "loopback-only", "Flask: flask run --host :: --port 8080"},
      {{"python3", "-m", "flask", "run"}, "name-not-accepted", "Flask: flask run --host $FLY_PRIVATE_IP --port 8080 (it looks the name fly-local-6pn up as IPv4)"},
      {{"python3", "manage.py", "runserver"}, "host-refused", "Django runserver: ALLOWED_HOSTS = ['.fly.dev', '.internal'] in settings.py"},
      {{"/usr/bin/python3", "/usr/bin/gunicorn", "wsgi:app"}, "wildcards-collide", "gunicorn: gunicorn -b [::]:8080"},
      {{"/usr/bin/python3", "/usr/bin/uvicorn", "app:app"}, "ipv6-only", "uvicorn: uvicorn --host '' --port 8080"},
      {{"nginx: master process nginx"}, "ipv6-only", "nginx: listen 8080; listen [::]:8080;"},
      {{"redis-server", "*:6379"}, "name-not-accepted", "Redis or Valkey: redis-server --bind $FLY_PRIVATE_IP"},
      {{"postgres", "-D", "/data"}, "loopback-only", "PostgreSQL: listen_addresses = '*' in postgresql.conf"},
      {{"java", "-jar", "app.jar"}, "asks-ipv4-only", "Java: take -Djava.net.preferIPv4Stack=true away"},
      {{"unbound"}, "udp-wrong-source", "Unbound: interface: 0.0.0.0 and interface: ::0 and interface-automatic: yes"},
      {{"socat", "UDP-RECVFROM:8080,fork", "PIPE"}, "udp-wrong-source", "socat: UDP-RECVFROM:8080,fork,bind=fly-global-services"},
      {{"/usr/sbin/lighttpd", "-D"}, "name-not-accepted", "lighttpd: server.port = 8080, server.use-ipv6 = \"enable\""},
      {{"etcd"}, "name-not-accepted", "etcd: etcd --listen-client-urls http://[$FLY_PRIVATE_IP]:8080"},
      {{"beam.smp", "--", "-root", "/app", "-elixir_root", "/app/lib"}, "asks-ipv4-only", "Elixir: Ecto: socket_options: [:inet6]"},
      {{"node", "server.js"}, "nothing-listening", "Node.js: PORT=8080"},
  };
  for (const Case& c : cases) {
    INFO(c.command_line.front() << ", " << c.code);
    const std::string fix = advise_program(c.command_line, c.code);
    CHECK_THAT(fix, Catch::StartsWith(c.fix));
    CHECK(fix.find("{port}") == std::string::npos);
  }
}

TEST_CASE("what helps with a code helps with an unknown program, too, or with one that has no text for it") {
  struct Case {
    const char* code;
    const char* fix;  ///< what it has to contain
  };
  const Case cases[] = {
      {"loopback-only", "[::]:8080"}, {"loopback-only", "0.0.0.0:8080"}, {"ipv6-only", "0.0.0.0:8080"}, {"6pn-only", "0.0.0.0:8080"},
      {"ipv4-only", "[::]:8080"}, {"private-ipv4-only", "[::]:8080"}, {"global-services-only", "0.0.0.0:8080"}, {"nothing-listening", "flylocal logs"},
      {"name-not-accepted", "[$FLY_PRIVATE_IP]:8080"}, {"wildcards-collide", "[::]:8080 alone"}, {"address-in-use", "one program"},
      {"privileged-port", "1024"}, {"address-not-here", "[::]:8080"}, {"family-not-supported", "0.0.0.0:8080"}, {"host-refused", "fly.dev"},
      {"speaks-tls", "plain HTTP on 8080"}, {"tls-passed-through", "handlers = [\"tls\", \"http\"]"}, {"proxy-protocol-missing", "proxy_proto"},
      {"proxy-protocol-unexpected", "proxy_proto"}, {"redirect-loop", "X-Forwarded-Proto"}, {"udp-wrong-source", "fly-global-services:8080"},
      {"udp-unanswered", "fly-global-services:8080"}, {"udp-unreachable", "fly-global-services:8080"}, {"udp-not-listening", "fly-global-services:8080"},
      {"check-redirects", "X-Forwarded-Proto"}, {"check-not-2xx", "200"}, {"check-timeout", "timeout"}, {"asks-ipv4-only", "IPv6"}, {"udp-only", "protocol = \"udp\""},
      {"http2-only", "h2_backend = true"}, {"http1-only", "take h2_backend out"},
  };
  const MachineView view = machine({});
  static constexpr Program kBare{.id = "bare", .title = "Bare", .listen = "", .six_pn = "", .port = "", .hosts = "", .udp = "", .client = ""};
  for (const Case& c : cases) {
    INFO(c.code);
    CHECK(explain(c.code));
    const std::string fix = advise(view, nullptr, c.code, kPort);
    CHECK_THAT(fix, Catch::Contains(c.fix));
    CHECK(fix.find("{port}") == std::string::npos);
    CHECK(advise(view, &kBare, c.code, kPort) == fix);
  }
}

TEST_CASE("good news and unknown codes need no advice") {
  for (const char* code : {"ok", "running", "needs-credentials", "", "no-such-code"}) CHECK(advise(machine({}), nullptr, code, kPort).empty());
}

TEST_CASE("a wrong port is mended in fly.toml or in the program") {
  const MachineView view = machine({tcp("127.0.0.1", 9229, Family::kDefault, kNodesOther), tcp("::", 3000)});
  CHECK(advise(view, nullptr, "wrong-port", kPort) == "fly.toml: internal_port = 3000\nor let the program listen on port 8080");
  const std::string fix = advise(view, program_on(view, kPort), "wrong-port", kPort);
  CHECK_THAT(fix, Catch::StartsWith("fly.toml: internal_port = 3000\nor Node.js: PORT=8080"));
}

TEST_CASE("of several wrong ports the one for visitors is offered") {
  constexpr std::uint32_t kSide = 300;
  auto offered = [](std::vector<BoundSocket> sockets, std::vector<GuestProcess> processes, std::vector<std::uint16_t> metrics = {}) {
    MachineView view = machine(std::move(sockets));
    view.processes = std::move(processes);
    view.metrics_ports = std::move(metrics);
    const std::string fix = advise(view, nullptr, "wrong-port", kPort);
    const std::string start = "fly.toml: internal_port = ";
    return fix.starts_with(start) ? fix.substr(start.size(), fix.find('\n') - start.size()) : "none";
  };
  const auto any = Family::kDefault;
  const auto node = process(2, {"node", "server.js"}, {kNode});
  SECTION("the main program's before a sidecar's") {
    CHECK(offered({tcp("::", 2019, any, kSide), tcp("::", 3000)}, {node, process(9, {"sidecar"}, {kSide})}) == "3000");
    CHECK(offered({tcp("::", 3000), tcp("::", 9000, any, kSide)}, {process(2, {"main"}, {kSide}), process(9, {"node"}, {kNode})}) == "9000");
  }
  SECTION("no database's, whoever was first") {
    CHECK(offered({tcp("::", 6379, any, kSide), tcp("::", 7000)}, {process(2, {"sh"}, {}), process(3, {"redis-server"}, {kSide}), process(4, {"node"}, {kNode})}) == "7000");
  }
  SECTION("never one for metrics, a debugger or an administrator") {
    CHECK(offered({tcp("::", 9100, any, kSide), tcp("::", 9300)}, {process(2, {"sh"}, {}), process(3, {"node_exporter"}, {kSide}), process(4, {"node"}, {kNode})}) == "9300");
    CHECK(offered({tcp("::", 9100, any, kSide)}, {process(3, {"node_exporter"}, {kSide})}) == "none");
    CHECK(offered({tcp("::", 9091)}, {node}) == "9091");
    CHECK(offered({tcp("::", 9091)}, {node}, {9091}) == "none");
    CHECK(offered({tcp("0.0.0.0", 9229)}, {node}) == "none");
    CHECK(offered({tcp("::", 15000, any, kSide)}, {process(3, {"postgres_export"}, {kSide})}) == "none");
  }
}

TEST_CASE("a wrong port on loopback is not mended by another number") {
  const MachineView view = machine({tcp("127.0.0.1", 3000)});
  // The next report would say loopback-only.
  CHECK(advise(view, nullptr, "wrong-port", kPort) == advise(view, nullptr, "loopback-only", kPort));
  const std::string fix = advise(view, program_on(view, kPort), "wrong-port", kPort);
  CHECK_THAT(fix, Catch::StartsWith("Node.js: listen({ port: 8080, host: '::' })") && !Catch::Contains("internal_port"));
}

TEST_CASE("the program is the one that holds the port, else the first that is known") {
  MachineView view = machine({tcp("127.0.0.1", 3000, Family::kDefault, kNode), tcp("0.0.0.0", kPort, Family::kDefault, kNginx)});
  auto id = [&](std::uint16_t port) {
    const Program* program = program_on(view, port);
    return program ? std::string(program->id) : "none";
  };
  CHECK(id(kPort) == "nginx");
  CHECK(id(3000) == "node");
  CHECK(id(5432) == "node");
  CHECK(id(0) == "node");
  view.processes = {process(1, {"my-own-server"}, {kNode}), process(2, {"nginx"}, {kNginx})};
  CHECK(id(3000) == "nginx");
  view.processes.pop_back();
  CHECK(id(3000) == "none");
}
