#include "flylocal/config/process_groups.hpp"

#include <catch2/catch.hpp>

#include "flylocal/config/fly_toml.hpp"

using namespace flylocal::config;
using namespace std::chrono_literals;

namespace {

AppConfig parse(std::string_view text) {
  ParsedConfig parsed = parse_fly_toml("app = \"a\"\n" + std::string(text), "fly.toml");
  for (const Problem& problem : parsed.problems) UNSCOPED_INFO(render(problem));
  REQUIRE(parsed.config);
  return *parsed.config;
}

}  // namespace

TEST_CASE("without [processes] there is one group, app") {
  const AppConfig config = parse("[http_service]\ninternal_port = 80");
  CHECK(process_groups(config) == std::vector<std::string>{"app"});
  CHECK(default_group(config) == "app");
  CHECK(flatten(config, "app").services.size() == 1);
  CHECK_FALSE(flatten(config, "app").command);
}

TEST_CASE("the default group is app, else the alphabetically first") {
  CHECK(default_group(parse("[processes]\nzoo = \"z\"\napp = \"a\"\nbee = \"b\"")) == "app");
  CHECK(default_group(parse("[processes]\nzoo = \"z\"\nbee = \"b\"")) == "bee");
  CHECK(process_groups(parse("[processes]\nzoo = \"z\"\nbee = \"b\"")) ==
        std::vector<std::string>{"bee", "zoo"});
}

TEST_CASE("http_service stands for a tcp service on ports 80 and 443") {
  const AppConfig config = parse(
      "[http_service]\ninternal_port = 3000\nforce_https = true\nmin_machines_running = 2\n"
      "tls_options = {alpn = [\"h2\"]}\nhttp_options = {h2_backend = true}\n[[http_service.checks]]\npath = "
      "\"/up\"");
  const Service service = as_service(*config.http_service);
  CHECK(service.protocol == TransportProtocol::kTcp);
  CHECK(service.internal_port == 3000);
  CHECK(service.min_machines_running == 2);
  CHECK(service.checks.size() == 1);
  REQUIRE(service.ports.size() == 2);
  CHECK(service.ports[0].range == PortRange{80, 80});
  CHECK(service.ports[0].handlers == std::vector<Handler>{Handler::kHttp});
  CHECK(service.ports[0].force_https);
  CHECK(service.ports[0].http_options);
  CHECK_FALSE(service.ports[0].tls_options);
  CHECK(service.ports[1].range == PortRange{443, 443});
  CHECK(service.ports[1].has(Handler::kHttp));
  CHECK(service.ports[1].has(Handler::kTls));
  CHECK_FALSE(service.ports[1].force_https);
  CHECK(service.ports[1].http_options);
  CHECK(service.ports[1].tls_options);
}

TEST_CASE("each group gets its own entries, and entries without processes go to the default group only") {
  const AppConfig config = parse(R"(
[processes]
web = "run web"
job = "run job"
idle = ""
[http_service]
internal_port = 3000
processes = ["web"]
[[services]]
protocol = "tcp"
internal_port = 4000
processes = ["job", "web"]
ports = {port = 4000}
[[mounts]]
source = "default"
destination = "/default"
[[mounts]]
source = "web"
destination = "/web"
processes = ["web"]
[checks.everywhere]
type = "tcp"
port = 3000
[checks.web]
type = "tcp"
port = 3000
processes = ["web"]
[[files]]
guest_path = "/f"
raw_value = "default"
[[files]]
guest_path = "/f"
raw_value = "job"
processes = ["job"]
[[statics]]
guest_path = "/s"
url_prefix = "/s"
[[restart]]
policy = "always"
processes = ["web"]
[[restart]]
policy = "never"
processes = ["web", "job"]
[[metrics]]
port = 1
processes = ["web"]
[[metrics]]
port = 2
processes = ["web"]
[[vm]]
memory = 512
[[vm]]
size = "performance-2x"
memory = "8gb"
processes = ["web"]
[env]
A = "1"
)");
  CHECK(default_group(config) == "idle");

  const GroupConfig web = flatten(config, "web");
  CHECK(web.command == "run web");
  REQUIRE(web.services.size() == 2);
  CHECK(web.services[0].internal_port == 3000);
  CHECK(web.services[1].internal_port == 4000);
  REQUIRE(web.mount);
  CHECK(web.mount->destination == "/web");
  REQUIRE(web.checks.size() == 1);
  CHECK(web.checks[0].name == "web");
  CHECK(web.files.empty());
  CHECK(web.statics.size() == 1);
  CHECK(web.restart.policy == RestartPolicy::kNever);
  REQUIRE(web.metrics);
  CHECK(web.metrics->port == 1);
  CHECK(web.guest.cpu_kind == "performance");
  CHECK(web.guest.cpus == 2);
  CHECK(web.guest.memory_mb == 8192);
  CHECK(web.env == std::map<std::string, std::string>{{"A", "1"}, {"FLY_PROCESS_GROUP", "web"}});

  const GroupConfig job = flatten(config, "job");
  REQUIRE(job.services.size() == 1);
  CHECK(job.services[0].internal_port == 4000);
  CHECK_FALSE(job.mount);
  CHECK(job.checks.empty());
  REQUIRE(job.files.size() == 1);
  CHECK(job.files[0].raw_value == "job");
  CHECK(job.statics.size() == 1);
  CHECK(job.restart.policy == RestartPolicy::kNever);
  CHECK(job.guest.cpus == 1);
  CHECK(job.guest.memory_mb == 512);

  const GroupConfig idle = flatten(config, "idle");
  CHECK_FALSE(idle.command);
  CHECK(idle.services.empty());
  REQUIRE(idle.mount);
  CHECK(idle.mount->source == "default");
  REQUIRE(idle.checks.size() == 1);
  CHECK(idle.checks[0].name == "everywhere");
  CHECK(idle.files.size() == 1);
  CHECK(idle.restart.policy == RestartPolicy::kOnFailure);
}

TEST_CASE("what belongs to all groups reaches each of them, and primary_region overrides [env]") {
  const AppConfig config = parse(
      "primary_region = \"ams\"\nkill_signal = \"SIGQUIT\"\nkill_timeout = 7\nswap_size_mb = 64\n"
      "[processes]\nx = \"x\"\ny = \"y\"\n[env]\nPRIMARY_REGION = \"iad\"");
  for (const char* group : {"x", "y"}) {
    const GroupConfig flat = flatten(config, group);
    CHECK(flat.env.at("PRIMARY_REGION") == "ams");
    CHECK(flat.env.at("FLY_PROCESS_GROUP") == group);
    CHECK(flat.kill_signal == KillSignal::kQuit);
    CHECK(flat.kill_timeout == 7s);
    CHECK(flat.swap_size_mb == 64);
  }
}

TEST_CASE("a GPU without a size brings the platform's default size for it") {
  CHECK(flatten(parse("[[vm]]\ngpu_kind = \"l40s\""), "app").guest.cpus == 8);
  CHECK(flatten(parse(""), "app").guest.memory_mb == 256);
}
