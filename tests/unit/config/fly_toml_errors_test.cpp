#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "flylocal/config/fly_toml.hpp"

using namespace flylocal::config;

namespace {

constexpr auto kError = Problem::Severity::kError;
constexpr auto kWarning = Problem::Severity::kWarning;
constexpr auto kNotice = Problem::Severity::kNotice;

/// A file, and one problem that has to be among those found.
struct Case {
  std::string_view text;
  Problem::Severity severity;
  int line;
  int column;
  std::string_view key;
  std::string_view says;  ///< part of the rendered line
};

void check(const Case& c) {
  const ParsedConfig parsed = parse_fly_toml(c.text, "fly.toml");
  std::string all;
  bool found = false;
  for (const Problem& problem : parsed.problems) {
    all += render(problem) + "\n";
    found =
        found || (problem.severity == c.severity && problem.line == c.line && problem.column == c.column &&
                  problem.key == c.key && render(problem).find(c.says) != std::string::npos);
  }
  INFO(c.text << "\n-- expected " << name(c.severity) << " at " << c.line << ":" << c.column << " of "
              << c.key << ": " << c.says << "\n-- found\n"
              << all);
  CHECK(found);
  CHECK(parsed.config.has_value() != has_errors(parsed.problems));
}

}  // namespace

TEST_CASE("a TOML syntax error is one problem with its place") {
  const ParsedConfig parsed = parse_fly_toml("app = \"a\"\n[env\nA = 1\n", "fly.toml");
  CHECK_FALSE(parsed.config);
  REQUIRE(parsed.problems.size() == 1);
  CHECK(parsed.problems[0].line == 2);
  CHECK(parsed.problems[0].message.find("not valid TOML") == 0);
}

TEST_CASE("an error names the file, the place, the key, what was found and what is allowed") {
  const ParsedConfig parsed =
      parse_fly_toml("app = \"a\"\n[[services]]\n  internal_port = \"80a\"\n", "my/fly.toml");
  REQUIRE(has_errors(parsed.problems));
  const auto error = std::find_if(parsed.problems.begin(), parsed.problems.end(),
                                  [](const Problem& p) { return p.severity == Problem::Severity::kError; });
  CHECK(render(*error) ==
        "my/fly.toml:3:19: error: services[0].internal_port: found \"80a\", allowed: a port from 1 to 65535");
}

TEST_CASE("all problems are reported in one go, in the order of the file") {
  const ParsedConfig parsed = parse_fly_toml(
      "app = 5\nkill_signal = \"SIGFOO\"\nprimary_regin = \"iad\"\n[http_service]\ninternal_port = 0\n",
      "fly.toml");
  REQUIRE(parsed.problems.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(parsed.problems[i].line == static_cast<int>(i + 1));
  CHECK(parsed.problems[3].line == 5);
}

TEST_CASE("a missing app shows the line to add, named after the directory") {
  const ParsedConfig parsed = parse_fly_toml("[env]\n", "/home/me/My Shop_2/fly.toml");
  REQUIRE(parsed.problems.size() == 1);
  CHECK(parsed.problems[0].key == "app");
  CHECK(parsed.problems[0].suggestion.find("app = \"my-shop-2\"") != std::string::npos);
}

TEST_CASE("top-level values are checked") {
  const Case cases[] = {
      {"app = 5", kError, 1, 7, "app", "found 5, allowed: text in quotes"},
      {"app = \"Shop\"", kError, 1, 7, "app", "For example \"shop\""},
      {"app = \"a_b\"", kError, 1, 7, "app", "lower-case letters, digits and dashes"},
      {"app = \"-a\"", kError, 1, 7, "app", "no dash at either end"},
      {"app = \"\"", kError, 1, 7, "app", "found \"\""},
      {"app = \"a\\u0000b\"", kError, 1, 7, "app", "without a NUL"},
      {"app = \"a\"\nprimary_region = \"Amsterdam\"", kError, 2, 18, "primary_region",
       "three lower-case letters"},
      {"app = \"a\"\nprimary_region = 3", kError, 2, 18, "primary_region", "text in quotes"},
      {"app = \"a\"\nkill_signal = \"TERM\"", kError, 2, 15, "kill_signal", "Did you mean \"SIGTERM\"?"},
      {"app = \"a\"\nkill_signal = \"sigint\"", kError, 2, 15, "kill_signal", "Did you mean \"SIGINT\"?"},
      {"app = \"a\"\nkill_signal = 9", kError, 2, 15, "kill_signal", "text in quotes"},
      {"app = \"a\"\nkill_signal = \"SIGSTOP\"", kWarning, 2, 15, "kill_signal", "Machines API"},
      {"app = \"a\"\nkill_timeout = 301", kError, 2, 16, "kill_timeout", "at most 300 seconds"},
      {"app = \"a\"\nkill_timeout = \"6m\"", kError, 2, 16, "kill_timeout", "at most 300 seconds"},
      {"app = \"a\"\nkill_timeout = \"10\"", kError, 2, 16, "kill_timeout", "has no unit"},
      {"app = \"a\"\nkill_timeout = \"1 minute\"", kError, 2, 16, "kill_timeout", "unknown unit"},
      {"app = \"a\"\nkill_timeout = \"-3s\"", kError, 2, 16, "kill_timeout", "cannot be negative"},
      {"app = \"a\"\nkill_timeout = -3", kError, 2, 16, "kill_timeout", "found -3"},
      {"app = \"a\"\nkill_timeout = 9223372036854775807", kError, 2, 16, "kill_timeout",
       "a duration such as"},
      {"app = \"a\"\nkill_timeout = true", kError, 2, 16, "kill_timeout", "found true"},
      {"app = \"a\"\nkill_timeout = 1.5", kWarning, 2, 16, "kill_timeout", "drops the fraction"},
      {"app = \"a\"\nswap_size_mb = \"512\"", kError, 2, 16, "swap_size_mb", "Remove the quotes"},
      {"app = \"a\"\nswap_size_mb = -1", kError, 2, 16, "swap_size_mb", "0 or more"},
      {"app = \"a\"\nconsole_command = \"a 'b\"", kError, 2, 19, "console_command",
       "a single quote is not closed"},
      {"app = \"a\"\nconsole_command = \"sh\"", kNotice, 2, 19, "console_command", "no effect locally"},
      {"app = \"a\"\nhost_dedication_id = \"x\"", kNotice, 2, 22, "host_dedication_id", "no effect locally"},
      {"app = \"a\"\nmachine_config = \"{}\"", kWarning, 2, 18, "machine_config", "not applied"},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("unknown keys are warnings with the closest known key") {
  const Case cases[] = {
      {"app = \"a\"\nprimary_regoin = \"iad\"", kWarning, 2, 1, "primary_regoin",
       "Did you mean \"primary_region\"?"},
      {"app = \"a\"\nregion = \"iad\"", kWarning, 2, 1, "region", "Did you mean \"primary_region\"?"},
      {"app = \"a\"\n[htpp_service]\n", kWarning, 2, 2, "htpp_service", "Did you mean \"http_service\"?"},
      {"app = \"a\"\nxyzzy = 1", kWarning, 2, 1, "xyzzy", "which flyctl ignores"},
      {"app = \"a\"\n[http_service]\ninternal_prot = 1", kWarning, 3, 1, "http_service.internal_prot",
       "Did you mean \"internal_port\"?"},
      {"app = \"a\"\n[[services]]\n[[services.ports]]\nhandler = []", kWarning, 4, 1,
       "services[0].ports[0].handler", "Did you mean \"handlers\"?"},
      {"app = \"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\nkill_timeout = 5", kWarning, 5, 1,
       "mounts.kill_timeout", "Below [mounts] the line belongs to it"},
      {"app = \"a\"\n[http_service]\nports = []", kWarning, 3, 9, "http_service.ports",
       "always has ports 80 and 443"},
      {"app = \"a\"\n[http_service]\ntcp_checks = []", kWarning, 3, 14, "http_service.tcp_checks",
       "or [[services]] for TCP checks"},
      {"app = \"a\"\n[[services]]\nforce_https = true", kWarning, 3, 15, "services[0].force_https",
       "belongs to a port"},
      {"app = \"a\"\n\"odd key\" = 1", kWarning, 2, 1, "\"odd key\"", "unknown key"},
      {"App = \"a\"", kNotice, 1, 7, "App", "usually written \"app\""},
      {"app = \"a\"\nAPP = \"b\"", kWarning, 2, 7, "APP", "ignored: the table also has \"app\""},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("services are checked") {
  const Case cases[] = {
      {"app=\"a\"\n[http_service]\nforce_https = true", kWarning, 2, 1, "http_service",
       "default 8080 is used"},
      {"app=\"a\"\n[http_service]\ninternal_port = \"8080\"", kError, 3, 17, "http_service.internal_port",
       "Remove the quotes"},
      {"app=\"a\"\n[http_service]\ninternal_port = 65536", kError, 3, 17, "http_service.internal_port",
       "found 65536"},
      {"app=\"a\"\n[http_service]\ninternal_port = 80.5", kError, 3, 17, "http_service.internal_port",
       "found 80.5"},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nforce_https = \"true\"", kError, 4, 15,
       "http_service.force_https", "Remove the quotes"},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nauto_stop_machines = \"stopp\"", kError, 4, 22,
       "http_service.auto_stop_machines", "Did you mean \"stop\"?"},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nauto_stop_machines = 1", kError, 4, 22,
       "http_service.auto_stop_machines", "true, false, \"off\""},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nconcurrency = \"20,25\"", kError, 4, 15,
       "http_service.concurrency", "a table with type"},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nmin_machines_running = -1", kError, 4, 24,
       "http_service.min_machines_running", "0 or more"},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nprocesses = \"app\"", kError, 4, 13,
       "http_service.processes", "Write [\"app\"]"},
      {"app=\"a\"\n[http_service]\ninternal_port = 8080\nprocesses = [\"web\"]", kError, 4, 14,
       "http_service.processes[0]", "the only group is \"app\""},
      {"app=\"a\"\n[processes]\nweb = \"x\"\n[http_service]\ninternal_port = 8080", kError, 4, 1,
       "http_service", "Add a line such as: processes = [\"web\"]"},
      {"app=\"a\"\n[processes]\nweb = \"x\"\n[[services]]\ninternal_port = 80\nprocesses = [\"wep\"]", kError,
       6, 14, "services[0].processes[0]", "Did you mean \"web\"?"},
      {"app=\"a\"\n[[http_service]]\ninternal_port = 8080", kError, 2, 1, "http_service",
       "use [[services]] for more"},
      {"app=\"a\"\nservices = 5", kError, 2, 12, "services", "a table [services] or a list of tables"},
      {"app=\"a\"\nservices = [5]", kError, 2, 13, "services[0]", "found 5, allowed: a table"},
      {"app=\"a\"\n[[services]]\ninternal_port = 80", kWarning, 2, 1, "services[0]",
       "the service has no ports"},
      {"app=\"a\"\n[[services]]\ninternal_port = 80", kNotice, 2, 1, "services[0]",
       "\"protocol\" is missing"},
      {"app=\"a\"\n[[services]]\nprotocol = \"TCP\"", kError, 3, 12, "services[0].protocol",
       "Did you mean \"tcp\"?"},
      {"app=\"a\"\n[[services]]", kNotice, 2, 1, "services[0]", "an empty entry, left out"},
      {"app=\"a\"\n[[services]]\nconcurrency = 20", kError, 3, 15, "services[0].concurrency",
       "\"SOFT,HARD\""},
      {"app=\"a\"\n[[services]]\nconcurrency = \"20\"", kError, 3, 15, "services[0].concurrency",
       "\"SOFT,HARD\""},
      {"app=\"a\"\n[[services]]\nconcurrency = \"20,x\"", kError, 3, 15, "services[0].concurrency",
       "\"SOFT,HARD\""},
      {"app=\"a\"\n[[services]]\nconcurrency = {type=\"request\"}", kError, 3, 21,
       "services[0].concurrency.type", "Did you mean \"requests\"?"},
      {"app=\"a\"\n[[services]]\nconcurrency = {soft_limit=30, hard_limit=20}", kWarning, 3, 27,
       "services[0].concurrency.soft_limit", "never reached"},
      {"app=\"a\"\n[[services]]\nscript_checks = []", kNotice, 3, 17, "services[0].script_checks",
       "earlier days"},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("ports and handlers are checked") {
  const Case cases[] = {
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 0", kError, 4, 8, "services[0].ports[0].port",
       "found 0"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = \"http\"", kError, 4, 8,
       "services[0].ports[0].port", "found \"http\""},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nhandlers = []", kError, 3, 1, "services[0].ports[0]",
       "\"port\" is missing"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nstart_port = 90", kError, 4, 8,
       "services[0].ports[0].port", "exclude each other"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nstart_port = 90\nend_port = 80", kError, 4, 14,
       "services[0].ports[0].start_port", "the range is empty"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nstart_port = \"90\"", kError, 4, 14,
       "services[0].ports[0].start_port", "a port from 1 to 65535"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nstart_port = 90", kWarning, 4, 14,
       "services[0].ports[0].start_port", "goes up to port 65535"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nend_port = 90", kWarning, 4, 12,
       "services[0].ports[0].end_port", "begins at port 1"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = \"http\"", kError, 5, 12,
       "services[0].ports[0].handlers", "a list"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"edge_http\"]", kError, 5, 13,
       "services[0].ports[0].handlers[0]", "retired name"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"http\", 5]", kError, 5, 21,
       "services[0].ports[0].handlers[1]", "found 5"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"http\", \"proxy_proto\"]",
       kError, 5, 12, "services[0].ports[0].handlers", "exclude each other"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"tls\", \"pg_tls\"]", kError, 5,
       12, "services[0].ports[0].handlers", "Postgres"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"pg_tls\", \"http\"]", kError, 5,
       12, "services[0].ports[0].handlers", "Postgres"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"tls\", \"http\", \"proxy_proto\"]", kError, 5,
       12, "services[0].ports[0].handlers", "exclude each other"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"tsl\"]", kError, 5, 13,
       "services[0].ports[0].handlers[0]", "\"tls\""},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\ntls_options = {}", kWarning, 5, 15,
       "services[0].ports[0].tls_options", "without a tls handler"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhandlers = [\"http\", \"http\"]", kWarning, 5,
       21, "services[0].ports[0].handlers[1]", "twice"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nforce_https = true", kError, 5, 15,
       "services[0].ports[0].force_https", "needs the http handler"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nhttp_options = {}", kWarning, 5, 16,
       "services[0].ports[0].http_options", "without the http handler"},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\nproxy_proto_options = {version=\"v3\"}",
       kError, 5, 32, "services[0].ports[0].proxy_proto_options.version", "\"v1\" or \"v2\""},
      {"app=\"a\"\n[[services]]\n[[services.ports]]\nport = 80\ntls_options = {versions=[\"TLSv1.1\"]}",
       kError, 5, 26, "services[0].ports[0].tls_options.versions[0]", "\"TLSv1.2\" or \"TLSv1.3\""},
      {"app=\"a\"\n[[services]]\ninternal_port = 53\nprotocol = \"udp\"\nports = {port = 5353}", kWarning, 5,
       9, "services[0].ports", "on the external port"},
      {"app=\"a\"\n[[services]]\ninternal_port = 53\nprotocol = \"udp\"\nports = {port = 53, handlers = "
       "[\"tls\"]}",
       kWarning, 5, 9, "services[0].ports", "no effect on UDP"},
      {"app=\"a\"\n[http_service]\ninternal_port = "
       "1\n[[services]]\nprotocol=\"tcp\"\n[[services.ports]]\nport = 443",
       kWarning, 6, 1, "services[0].ports[0]", "port 443 is also used by http_service in line 2"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\nhttp_options = {idle_timeout = \"60s\"}", kError, 4, 32,
       "http_service.http_options.idle_timeout", "Write 60"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\nhttp_options = {response = {headers = {Server = "
       "true}}}",
       kError, 4, 49, "http_service.http_options.response.headers.Server", "false to remove"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\nhttp_options = {response = {headers = {\"X A\" = "
       "\"b\"}}}",
       kError, 4, 48, "http_service.http_options.response.headers.\"X A\"", "name of a header"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\nhttp_options = {response = {headers = {X = \"b\\r\\nY: "
       "1\"}}}",
       kError, 4, 44, "http_service.http_options.response.headers.X", "without line breaks"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\nhttp_options = {response = {headers = {X = \"b\\u0007c\"}}}",
       kError, 4, 44, "http_service.http_options.response.headers.X", "control characters"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\nhttp_options = {replay_cache = [{path_prefix=\"/\", "
       "ttl_seconds=5, "
       "type=\"cookie\", name=\"c\"}]}",
       kError, 4, 63, "http_service.http_options.replay_cache[0].ttl_seconds", "10 or more"},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("checks are clamped with a notice in services and refused at the top level") {
  const Case cases[] = {
      {"app=\"a\"\n[[services]]\n[[services.tcp_checks]]\ninterval = 100", kNotice, 4, 12,
       "services[0].tcp_checks[0].interval", "100ms is outside 1s to 60s; flyctl makes it 1s"},
      {"app=\"a\"\n[[services]]\n[[services.tcp_checks]]\ntimeout = \"2m\"", kNotice, 4, 11,
       "services[0].tcp_checks[0].timeout", "flyctl makes it 1m0s"},
      {"app=\"a\"\n[[services]]\n[[services.http_checks]]\ngrace_period = \"10ms\"", kNotice, 4, 16,
       "services[0].http_checks[0].grace_period", "(or 0)"},
      {"app=\"a\"\n[[services]]\n[[services.http_checks]]\nprotocol = \"h2\"", kError, 4, 12,
       "services[0].http_checks[0].protocol", "\"http\" or \"https\""},
      {"app=\"a\"\n[[services]]\n[[services.http_checks]]\nheaders = [{name = \"a\"}]", kError, 4, 12,
       "services[0].http_checks[0].headers[0]", "\"value\" is missing"},
      {"app=\"a\"\n[[services]]\n[[services.http_checks]]\npath = \"a b\"", kError, 4, 8,
       "services[0].http_checks[0].path", "without spaces"},
      {"app=\"a\"\n[[services]]\n[[services.tcp_checks]]\nrestart_limit = 0", kNotice, 4, 17,
       "services[0].tcp_checks[0].restart_limit", "earlier days"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\n[[http_service.checks]]\ninterval = 30000", kNotice, 5,
       12, "http_service.checks[0].interval", "read as 30000 milliseconds"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\n[http_service.checks]\ninterval = \"30s\"", kError, 4,
       1, "http_service.checks", "Write [[http_service.checks]]"},
      {"app=\"a\"\n[http_service]\ninternal_port = 1\n[[http_service.checks]]\nheaders = [{name=\"a\", "
       "value=\"b\"}]",
       kError, 5, 11, "http_service.checks[0].headers", "a table of texts"},
      {"app=\"a\"\n[checks.x]\ntype = \"tcp\"", kError, 2, 1, "checks.x", "\"port\" is missing"},
      {"app=\"a\"\n[checks.x]\nport = 1", kError, 2, 1, "checks.x", "\"type\" is missing"},
      {"app=\"a\"\n[checks.x]\nport = 1\ntype = \"script\"", kError, 4, 8, "checks.x.type",
       "\"tcp\" or \"http\""},
      {"app=\"a\"\n[checks.x]\nport = 1\ntype = \"tcp\"\ninterval = \"1s\"", kError, 5, 12,
       "checks.x.interval", "2 seconds or more"},
      {"app=\"a\"\n[checks.x]\nport = 1\ntype = \"tcp\"\ntimeout = 61000", kError, 5, 11, "checks.x.timeout",
       "at most 60 seconds"},
      {"app=\"a\"\n[checks]\nport = 1", kError, 3, 8, "checks.port", "write [checks.NAME]"},
      {"app=\"a\"\n[[checks]]\nport = 1\ntype = \"tcp\"", kError, 2, 1, "checks[0]", "\"name\" is missing"},
      {"app=\"a\"\n[checks.x]\nport = 1\ntype = \"tcp\"\nprocesses = [\"nope\"]", kWarning, 5, 14,
       "checks.x.processes[0]", "nothing comes of this entry"},
      {"app=\"a\"\n[[machine_checks]]\nimage = \"x\"", kError, 2, 1, "machine_checks[0]",
       "\"command\" is missing"},
      {"app=\"a\"\n[[machine_checks]]\ncommand = [\"x\"]\nkill_timeout = 5", kWarning, 4, 16,
       "machine_checks[0].kill_timeout", "as nanoseconds"},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("the parts of a machine are checked") {
  const Case cases[] = {
      {"app=\"a\"\n[mounts]\nsource = \"d\"", kError, 2, 1, "mounts", "\"destination\" is missing"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/\"", kError, 4, 15, "mounts.destination",
       "other than /"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/./.\"", kError, 4, 15, "mounts.destination",
       "absolute path other than /"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/proc/x\"", kError, 4, 15, "mounts.destination",
       "outside of /proc"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"data\"", kError, 4, 15, "mounts.destination",
       "an absolute path"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/a/../..\"", kError, 4, 15, "mounts.destination",
       "an absolute path"},
      {"app=\"a\"\n[mounts]\nsource = \"../d\"\ndestination = \"/d\"", kError, 3, 10, "mounts.source",
       "the name of a volume"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\ninitial_size = \"500mb\"", kError, 5, 16,
       "mounts.initial_size", "1 GB or more"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\nsnapshot_retention = 61", kError, 5, 22,
       "mounts.snapshot_retention", "from 1 to 60"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\nauto_extend_size_threshold = 80", kError,
       5, 30, "mounts.auto_extend_size_threshold", "\"auto_extend_size_increment\" is missing"},
      {"app=\"a\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\nauto_extend_size_threshold = "
       "49\nauto_extend_size_increment = \"1GB\"",
       kError, 5, 30, "mounts.auto_extend_size_threshold", "from 50 to 99"},
      {"app=\"a\"\n[[mounts]]\nsource = \"d\"\ndestination = \"/d\"\n[[mounts]]\nsource = \"e\"\ndestination "
       "= \"/e\"",
       kError, 5, 1, "mounts", "already has the mount of line 2"},
      {"app=\"a\"\n[deploy]\nstrategy = \"canary\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"", kError,
       2, 1, "deploy", "canary"},
      {"app=\"a\"\n[[vm]]\nsize = \"shared-cpu-3x\"", kError, 3, 8, "vm[0].size",
       "Did you mean \"shared-cpu-"},
      {"app=\"a\"\n[[vm]]\nprocesses = [\"app\"]\n[[vm]]\nprocesses = [\"app\"]", kWarning, 4, 1, "vm",
       "already has the entry of line 2"},
      {"app=\"a\"\n[[vm]]\nmemory = 0", kError, 3, 10, "vm[0].memory", "1 or more"},
      {"app=\"a\"\n[[vm]]\nmemory = \"0mb\"", kError, 3, 10, "vm[0].memory", "an amount of memory"},
      {"app=\"a\"\n[[vm]]\nmemory = \"lots\"", kError, 3, 10, "vm[0].memory", "an amount of memory"},
      {"app=\"a\"\n[[vm]]\nmemory = \"1gb\"\nmemory_mb = 512", kWarning, 4, 13, "vm[0].memory_mb", "wins"},
      {"app=\"a\"\n[[vm]]\ncpu_kind = \"fast\"", kError, 3, 12, "vm[0].cpu_kind",
       "\"shared\" or \"performance\""},
      {"app=\"a\"\n[[vm]]\nkernel_args = \"quiet\"", kWarning, 3, 15, "vm[0].kernel_args",
       "Write [\"quiet\"]"},
      {"app=\"a\"\n[restart]\npolicy = \"always\"", kError, 2, 1, "restart",
       "Write [[restart]] instead of [restart]"},
      {"app=\"a\"\n[[restart]]\npolicy = \"no\"", kError, 3, 10, "restart[0].policy",
       "is \"never\" in fly.toml"},
      {"app=\"a\"\n[[restart]]\npolicy = \"onfailure\"", kError, 3, 10, "restart[0].policy",
       "Did you mean \"on-failure\"?"},
      {"app=\"a\"\n[[restart]]\nmax_retries = 3", kWarning, 3, 15, "restart[0].max_retries",
       "called retries"},
      {"app=\"a\"\n[[files]]\nguest_path = \"/a\"", kError, 2, 1, "files[0]",
       "nothing says what the file holds"},
      {"app=\"a\"\n[[files]]\nraw_value = \"a\"", kError, 2, 1, "files[0]", "\"guest_path\" is missing"},
      {"app=\"a\"\n[[files]]\nguest_path = \"a\"\nraw_value = \"a\"", kError, 3, 14, "files[0].guest_path",
       "an absolute path"},
      {"app=\"a\"\n[[files]]\nguest_path = \"/a\"\nraw_value = \"a\"\nlocal_path = \"b\"", kWarning, 4, 13,
       "files[0].raw_value", "\"local_path\" already says"},
      {"app=\"a\"\n[[files]]\nguest_path = \"/a\"\nraw_value = \"aGVsbG8=\"", kNotice, 4, 13,
       "files[0].raw_value", "already base64"},
      {"app=\"a\"\n[[statics]]\nguest_path = \"/a\"", kError, 2, 1, "statics[0]",
       "\"url_prefix\" is missing"},
      {"app=\"a\"\n[[statics]]\nguest_path = \"/a\"\nurl_prefix = \"/s\"\n[[statics]]\nguest_path = "
       "\"/b\"\nurl_prefix = "
       "\"/s\"",
       kError, 7, 14, "statics[1].url_prefix", "already has a mapping"},
      {"app=\"a\"\n[metrics]\npath = \"/m\"", kWarning, 2, 1, "metrics", "\"port\" is missing"},
      {"app=\"a\"\n[metrics]\nport = 70000", kError, 3, 8, "metrics.port", "found 70000"},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("more than ten statics are refused") {
  std::string text = "app = \"a\"\n";
  for (int i = 0; i < 11; ++i)
    text += fmt::format("[[statics]]\nguest_path = \"/g\"\nurl_prefix = \"/{}\"\n", i);
  check({text, kError, 32, 1, "statics[10]", "more than 10"});
}

TEST_CASE("commands, variables, build and deploy are checked") {
  const Case cases[] = {
      {"app=\"a\"\n[processes]\nweb = \"run 'x\"", kError, 3, 7, "processes.web",
       "a single quote is not closed"},
      {"app=\"a\"\n[processes]\nweb = \"run \\\\\"", kError, 3, 7, "processes.web", "ends in a backslash"},
      {"app=\"a\"\n[processes]\nweb = 5", kError, 3, 7, "processes.web", "text in quotes"},
      {"app=\"a\"\nprocesses = \"web\"", kError, 2, 13, "processes", "a table [processes]"},
      {"app=\"a\"\n[[processes]]\ncommand = \"x\"", kError, 2, 1, "processes[0]", "\"name\" is missing"},
      {"app=\"a\"\n[env]\nFLY_REGION = \"x\"", kWarning, 3, 14, "env.FLY_REGION", "belong to the platform"},
      {"app=\"a\"\nenv = 5", kError, 2, 7, "env", "a table of variables"},
      {"app=\"a\"\n[env]\n\"A=B\" = \"x\"", kError, 3, 9, "env.\"A=B\"", "name of an environment variable"},
      {"app=\"a\"\n[env]\nA = [1, 2]", kWarning, 3, 5, "env.A", "the app will see \"[1 2]\""},
      {"app=\"a\"\nprimary_region=\"iad\"\n[env]\nPRIMARY_REGION = \"ams\"", kWarning, 3, 1, "env",
       "overridden by primary_region"},
      {"app=\"a\"\n[experimental]\ncmd = [1]", kError, 3, 8, "experimental.cmd[0]", "text in quotes"},
      {"app=\"a\"\n[experimental]\ncmd = 1", kError, 3, 7, "experimental.cmd", "text or a list of texts"},
      {"app=\"a\"\n[experimental]\nkill_timeout = 10", kNotice, 3, 16, "experimental.kill_timeout",
       "an old place"},
      {"app=\"a\"\nkill_timeout = 5\n[experimental]\nkill_timeout = 10", kWarning, 4, 16,
       "experimental.kill_timeout", "ignored"},
      {"app=\"a\"\nexperimental = []", kError, 2, 16, "experimental", "a table, [experimental]"},
      {"app=\"a\"\n[build]\nimage = \"x\"\ndockerfile = \"D\"", kWarning, 2, 1, "build", "image, dockerfile"},
      {"app=\"a\"\n[build]\nbuilder = \"x\"", kNotice, 3, 11, "build.builder", "no effect locally"},
      {"app=\"a\"\n[build]\ncompression = \"lz4\"", kError, 3, 15, "build.compression",
       "\"gzip\" or \"zstd\""},
      {"app=\"a\"\n[build]\ncompression_level = 10", kError, 3, 21, "build.compression_level", "from 0 to 9"},
      {"app=\"a\"\n[build.args]\nA = 1", kError, 3, 5, "build.args.A", "text in quotes"},
      {"app=\"a\"\n[deploy]\nstrategy = \"blue-green\"", kError, 3, 12, "deploy.strategy",
       "Did you mean \"bluegreen\"?"},
      {"app=\"a\"\n[deploy]\nrelease_command = \"a \\\"b\"", kError, 3, 19, "deploy.release_command",
       "a double quote is not closed"},
      {"app=\"a\"\n[deploy]\nwait_timeout = 300", kWarning, 3, 16, "deploy.wait_timeout",
       "Write a unit, such as \"300s\""},
      {"app=\"a\"\n[deploy]\nwait_timeout = \"\"", kError, 3, 16, "deploy.wait_timeout",
       "a duration such as"},
      {"app=\"a\"\n[deploy]\nmax_unavailable = \"half\"", kError, 3, 19, "deploy.max_unavailable",
       "a number"},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("control characters of a file reach the terminal escaped") {
  const ParsedConfig parsed = parse_fly_toml("app = \"a\\u001b[31m\"\n", "fly.toml");
  REQUIRE(parsed.problems.size() == 1);
  CHECK(render(parsed.problems[0]).find('\x1b') == std::string::npos);
  CHECK(render(parsed.problems[0]).find("\\u001b") != std::string::npos);
}

TEST_CASE("nesting that could exhaust the stack is refused") {
  const std::string inside = "app = \"a\"\nx = " + std::string(100000, '[');
  const std::string dotted_keys = [] {
    std::string out = "a";
    for (int i = 0; i < 100000; ++i) out += ".a";
    return out + " = 1\n";
  }();
  for (const std::string& text : {inside, dotted_keys}) {
    const ParsedConfig parsed = parse_fly_toml(text, "fly.toml");
    CHECK_FALSE(parsed.config);
    REQUIRE(parsed.problems.size() == 1);
    CHECK(parsed.problems[0].message.find("nested too deeply") == 0);
  }
  CHECK(parse_fly_toml("app = \"a\"\n[env]\nA = '''" + std::string(1000, '[') + std::string(1000, '.') +
                           "'''\n# " + std::string(1000, '.'),
                       "fly.toml")
            .config);
}
