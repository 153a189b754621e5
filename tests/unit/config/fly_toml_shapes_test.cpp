#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "flylocal/config/config_json.hpp"
#include "flylocal/config/fly_toml.hpp"

using namespace flylocal::config;
using namespace std::chrono_literals;

namespace {

AppConfig parse(std::string_view text) {
  ParsedConfig parsed = parse_fly_toml("app = \"a\"\n" + std::string(text), "fly.toml");
  for (const Problem& problem : parsed.problems) UNSCOPED_INFO(render(problem));
  INFO(text);
  REQUIRE(parsed.config);
  return *parsed.config;
}

}  // namespace

TEST_CASE("old and loose shapes mean the same as the present-day form") {
  struct Case {
    std::string_view old_shape;
    std::string_view present;
  };
  const Case cases[] = {
      {"kill_timeout = 90", "kill_timeout = \"1m30s\""},
      {"kill_timeout = 90.0", "kill_timeout = \"90s\""},
      {"kill_timeout = \"0.5m\"", "kill_timeout = \"30s\""},
      {"kill_timeout = \"\"", ""},
      {"[experimental]\nkill_timeout = \"20s\"", "kill_timeout = 20"},
      {"[experimental]\nmetrics_port = 9091\nmetrics_path = \"/m\"",
       "[[metrics]]\nport = 9091\npath = \"/m\""},
      {"[experimental]\ncmd = \"serve now\"", "[experimental]\ncmd = [\"serve now\"]"},
      {"PRIMARY_REGION = \"iad\"", "primary_region = \"iad\""},
      {"primary_region = \"\"", ""},
      {"[[env]]\nA = \"1\"\n[[env]]\nA = \"2\"\nB = \"x\"", "[env]\nA = \"2\"\nB = \"x\""},
      {"[env]\nA = 1\nB = true\nC = 1.0\nD = 0.1\nE = 1e21\nF = 1979-05-27",
       "[env]\nA = \"1\"\nB = \"true\"\nC = \"1\"\nD = \"0.1\"\nE = \"1e+21\"\nF = \"1979-05-27\""},
      {"[env]\nA = [1, \"\", \"b\"]\nB = {y = 1, x = 2}", "[env]\nA = \"[1  b]\"\nB = \"map[x:2 y:1]\""},
      {"[[processes]]\nname = \"web\"\ncommand = \"run\"\n[[processes]]\nname = \"job\"",
       "[processes]\nweb = \"run\"\njob = \"\""},
      {"processes = []", ""},
      {"[services]\ninternal_port = 80", "[[services]]\ninternal_port = 80"},
      {"[[services]]\ninternal_port = \"80\"", "[[services]]\ninternal_port = 80"},
      {"[[services]]\ninternal_port = 80.0", "[[services]]\ninternal_port = 80"},
      {"[[services]]\n[[services]]\ninternal_port = 80", "[[services]]\ninternal_port = 80"},
      {"[[services]]\nconcurrency = \"20,25\"",
       "[[services]]\nconcurrency = {type = \"requests\", soft_limit = 20, hard_limit = 25}"},
      {"[[services]]\nauto_stop_machines = true", "[[services]]\nauto_stop_machines = \"stop\""},
      {"[[services]]\nauto_stop_machines = false", "[[services]]\nauto_stop_machines = \"off\""},
      {"[http_service]\nauto_stop_machines = true", "[http_service]\nauto_stop_machines = \"stop\""},
      {"[[services]]\n[services.ports]\nport = \"443\"", "[[services]]\n[[services.ports]]\nport = 443"},
      {"[[services]]\n[services.tcp_checks]\ninterval = 15000\ntimeout = 2000\ngrace_period = 1000",
       "[[services]]\n[[services.tcp_checks]]\ninterval = \"15s\"\ntimeout = \"2s\"\ngrace_period = \"1s\""},
      {"[[services]]\n[services.tcp_checks]\ninterval = \"\"", "[[services]]\n[[services.tcp_checks]]"},
      {"[[services]]\n[services.http_checks]\nheaders = [{name = \"A\", value = \"b\"}]",
       "[[services]]\n[[services.http_checks]]\nheaders = {A = \"b\"}"},
      {"[[services]]\n[services.http_checks]\nheaders = []", "[[services]]\n[[services.http_checks]]"},
      {"[http_service]\n[[http_service.checks]]\ninterval = 30000",
       "[http_service]\n[[http_service.checks]]\ninterval = \"30s\""},
      {"[[checks]]\nname = \"x\"\nport = 1\ntype = \"http\"\nmethod = \"get\"\ninterval = 5000",
       "[checks.x]\nport = 1\ntype = \"http\"\nmethod = \"GET\"\ninterval = \"5s\""},
      {"[http_service]\ninternal_port = 3000\n[checks.x]\ntype = \"tcp\"",
       "[http_service]\ninternal_port = 3000\n[checks.x]\ntype = \"tcp\"\nport = 3000"},
      {"[mount]\nsource = \"d\"\ndestination = \"/d/\"", "[[mounts]]\nsource = \"d\"\ndestination = \"/d\""},
      {"[mounts]\nsource = \"d\"\ndestination = \"/d\"\ninitial_size = \"2gb\"",
       "[[mounts]]\nsource = \"d\"\ndestination = \"/d\"\ninitial_size = 2"},
      {"[compute]\nmemory = \"512mb\"", "[[vm]]\nmemory = 512"},
      {"[[computes]]\nmemory = \"1gb\"", "[[vm]]\nmemory_mb = 1024"},
      {"[vm]\nsize = \"shared-cpu-2x\"", "[[vm]]\nsize = \"shared-cpu-2x\""},
      {"[metric]\nport = 9091\npath = \"/m\"", "[[metrics]]\nport = 9091\npath = \"/m\""},
      {"[build]\nbuild_target = \"web\"", "[build]\nbuild-target = \"web\""},
      {"Http_Service = {Internal_Port = 80}", "http_service = {internal_port = 80}"},
  };
  for (const Case& c : cases) {
    INFO("old:\n" << c.old_shape << "\npresent:\n" << c.present);
    const std::string old_shape = boost::json::serialize(to_json(parse(c.old_shape)));
    const std::string present = boost::json::serialize(to_json(parse(c.present)));
    CHECK(old_shape == present);
  }
}

TEST_CASE("a service without protocol stays without one") {
  CHECK_FALSE(parse("[[services]]\ninternal_port = 80").services.at(0).protocol);
}

TEST_CASE("times of service checks are moved into their bounds") {
  const AppConfig config = parse(
      "[[services]]\n[services.tcp_checks]\ninterval = \"10ms\"\ntimeout = \"5m\"\ngrace_period = \"0s\"\n");
  const CheckTiming& timing = config.services.at(0).checks.at(0).timing;
  CHECK(timing.interval == 1s);
  CHECK(timing.timeout == 60s);
  CHECK(timing.grace_period == 0s);
}

TEST_CASE("what flyctl knows and flylocal has no use for is kept by its path") {
  const AppConfig config = parse(
      "host_dedication_id = \"h\"\nmachine_config = \"m.json\"\ncontainer = \"c\"\n"
      "[build]\nbuilder = \"b\"\nbuildpacks = [\"p\"]\n[build.settings]\nx = 1\n"
      "[deploy]\nseed_command = \"s\"\n[deploy.release_command_vm]\nsize = \"performance-1x\"\n"
      "[experimental]\nenable_consul = true\n[experimental.attached.secrets.export]\nA = \"b\"\n"
      "[[machine_checks]]\ncommand = [\"x\"]\n");
  for (const char* path :
       {"host_dedication_id", "machine_config", "container", "build.builder", "build.buildpacks",
        "build.settings", "deploy.seed_command", "deploy.release_command_vm", "experimental.enable_consul",
        "experimental.attached", "machine_checks"}) {
    INFO(path);
    CHECK(config.other.contains(path));
  }
  CHECK(boost::json::serialize(config.other.at("build.settings")) == R"({"x":1})");
}
