#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "flylocal/config/config_json.hpp"
#include "flylocal/config/fly_toml.hpp"

using namespace flylocal::config;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

std::string data_file(std::string_view name) {
  return std::string(TEST_DATA) + "/" + std::string(name);
}

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

AppConfig load(std::string_view name) {
  ParsedConfig parsed = load_fly_toml(data_file(name));
  for (const Problem& problem : parsed.problems) INFO(render(problem));
  REQUIRE(parsed.config);
  return *parsed.config;
}

}  // namespace

TEST_CASE("a freshly launched app is read without a word of complaint") {
  const ParsedConfig parsed = load_fly_toml(data_file("hello.toml"));
  REQUIRE(parsed.config);
  CHECK(parsed.problems.empty());
  const AppConfig& config = *parsed.config;
  CHECK(config.app == "hello-harbour");
  CHECK(config.primary_region == "ams");
  CHECK(config.kill_signal == KillSignal::kInt);
  CHECK(config.kill_timeout == 5s);
  REQUIRE(config.http_service);
  CHECK(config.http_service->internal_port == 8080);
  CHECK(config.http_service->force_https);
  CHECK(config.http_service->auto_stop_machines == AutoStop::kStop);
  CHECK(config.http_service->auto_start_machines == true);
  CHECK(config.http_service->processes == std::vector<std::string>{"app"});
  CHECK(config.http_service->place == Place{7, 1});
  CHECK(config.http_service->concurrency.soft_limit == 20);
  CHECK(config.http_service->concurrency.type == ConcurrencyType::kConnections);
  CHECK_FALSE(config.http_service->concurrency.hard_limit);
  REQUIRE(config.vm.size() == 1);
  CHECK(config.vm[0].memory_mb == 1024);
}

TEST_CASE("every section of an app with several process groups is read") {
  const AppConfig config = load("shop.toml");
  CHECK(config.kill_signal == KillSignal::kTerm);
  CHECK(config.kill_timeout == 30s);
  CHECK(config.swap_size_mb == 512);
  CHECK(config.console_command == "bin/shop console");
  CHECK(config.build.dockerfile == "deploy/Dockerfile");
  CHECK(config.build.target == "release");
  CHECK(config.build.args.at("RUNTIME_VERSION") == "3.2");
  CHECK(config.deploy.strategy == DeployStrategy::kRolling);
  CHECK(config.deploy.release_command == "bin/shop migrate --to 'latest version'");
  CHECK(config.deploy.release_command_timeout == 10min);
  CHECK(config.other.at("deploy.max_unavailable") == boost::json::value(0.5));
  CHECK(config.env ==
        std::map<std::string, std::string>{
            {"LOG_LEVEL", "info"}, {"WORKERS", "4"}, {"TRACING", "false"}, {"SAMPLE_RATE", "0.25"}});
  CHECK(config.processes.size() == 3);
  CHECK(config.processes.at("web") == "bin/shop web --port 3000");
  REQUIRE(config.http_service);
  CHECK(config.http_service->auto_stop_machines == AutoStop::kSuspend);
  CHECK(config.http_service->min_machines_running == 1);
  CHECK(config.http_service->concurrency.type == ConcurrencyType::kRequests);
  CHECK(config.http_service->concurrency.hard_limit == 200);
  REQUIRE(config.http_service->checks.size() == 1);
  const ServiceCheck& up = config.http_service->checks[0];
  CHECK(up.type == CheckType::kHttp);
  CHECK(up.timing.interval == 30s);
  CHECK(up.timing.timeout == 5s);
  CHECK(up.timing.grace_period == 10s);
  CHECK(up.request.path == "/up");
  CHECK(up.request.headers.at("X-Forwarded-Proto") == "https");
  REQUIRE(config.mounts.size() == 2);
  CHECK(config.mounts[0].initial_size_gb == 10);
  CHECK(config.mounts[1].destination == "/var/spool/shop");
  REQUIRE(config.checks.size() == 1);
  CHECK(config.checks[0].name == "queue");
  CHECK(config.checks[0].port == 9100);
  REQUIRE(config.restart.size() == 1);
  CHECK(config.restart[0].policy == RestartPolicy::kAlways);
  CHECK(config.restart[0].retries == 5);
  CHECK(config.vm.size() == 2);
  REQUIRE(config.statics.size() == 1);
  CHECK(config.statics[0].url_prefix == "/assets");
  REQUIRE(config.files.size() == 1);
  CHECK(config.files[0].raw_value == "colour = green");
}

TEST_CASE("the forms of the first years are read, with notices only") {
  const ParsedConfig parsed = load_fly_toml(data_file("legacy.toml"));
  for (const Problem& problem : parsed.problems) {
    INFO(render(problem));
    CHECK(problem.severity == Problem::Severity::kNotice);
  }
  REQUIRE(parsed.config);
  const AppConfig& config = *parsed.config;
  CHECK(config.kill_timeout == 5s);
  CHECK(config.processes.empty());
  CHECK(config.env == std::map<std::string, std::string>{{"ONE", "1"}, {"TWO", "2"}});
  CHECK(config.experimental.cmd == std::vector<std::string>{"serve"});
  CHECK(config.experimental.entrypoint == std::vector<std::string>{"/bin/oak", "--quiet"});
  REQUIRE(config.metrics.size() == 1);
  CHECK(config.metrics[0].port == 9091);
  CHECK(config.metrics[0].path == "/metrics");
  REQUIRE(config.mounts.size() == 1);
  CHECK(config.mounts[0].initial_size_gb == 3);
  REQUIRE(config.services.size() == 1);
  const Service& service = config.services[0];
  CHECK(service.internal_port == 8080);
  CHECK(service.protocol == TransportProtocol::kTcp);
  CHECK(service.concurrency.type == ConcurrencyType::kRequests);
  CHECK(service.concurrency.soft_limit == 20);
  CHECK(service.concurrency.hard_limit == 25);
  REQUIRE(service.ports.size() == 2);
  CHECK(service.ports[0].range == PortRange{80, 80});
  CHECK(service.ports[0].force_https);
  REQUIRE(service.checks.size() == 1);
  CHECK(service.checks[0].type == CheckType::kTcp);
  CHECK(service.checks[0].timing.interval == 15s);
  CHECK(service.checks[0].timing.timeout == 2s);
}

TEST_CASE("all kinds of ports, handlers and their options are read") {
  const AppConfig config = load("game.toml");
  CHECK(config.experimental.exec.size() == 3);
  REQUIRE(config.services.size() == 4);
  const Service& raw = config.services[0];
  CHECK(raw.auto_stop_machines == AutoStop::kOff);
  REQUIRE(raw.ports.size() == 3);
  CHECK(raw.ports[0].range == PortRange{7000, 7099});
  CHECK(raw.ports[0].handlers.empty());
  REQUIRE(raw.ports[1].tls_options);
  CHECK(raw.ports[1].tls_options->alpn == std::vector<std::string>{"mqtt"});
  CHECK(raw.ports[1].tls_options->versions == std::vector<TlsVersion>{TlsVersion::kTls13});
  CHECK(raw.ports[1].tls_options->default_self_signed);
  CHECK(raw.ports[2].proxy_protocol_version == ProxyProtocolVersion::kV2);
  REQUIRE(raw.checks.size() == 1);
  CHECK(config.services[1].ports.at(0).has(Handler::kPgTls));
  const ServicePort& web = config.services[2].ports.at(0);
  REQUIRE(web.http_options);
  CHECK(web.http_options->compress == true);
  CHECK(web.http_options->h2_backend);
  CHECK(web.http_options->idle_timeout == 60s);
  CHECK(web.http_options->pristine);
  REQUIRE(web.http_options->response_headers.size() == 3);
  CHECK(web.http_options->response_headers[0].name == "Server");
  CHECK_FALSE(web.http_options->response_headers[0].values);
  CHECK(web.http_options->response_headers[1].values == std::vector<std::string>{"DENY"});
  CHECK(web.http_options->response_headers[2].values->size() == 2);
  REQUIRE(web.http_options->replay_cache.size() == 1);
  CHECK(web.http_options->replay_cache[0].ttl == 60s);
  CHECK(web.http_options->replay_cache[0].keyed_by == ReplayCacheRule::KeyedBy::kCookie);
  const CheckRequest& ready = config.services[2].checks.at(0).request;
  CHECK(ready.scheme == HttpScheme::kHttps);
  CHECK(ready.tls_skip_verify);
  CHECK(ready.tls_server_name == "rook.example");
  CHECK(ready.headers.at("X-Check") == "1");
  CHECK(config.services[3].protocol == TransportProtocol::kUdp);
}

TEST_CASE("no prefix of a valid file is a crash, and a config comes exactly when there is no error") {
  for (const char* name : {"shop.toml", "game.toml", "legacy.toml"}) {
    const std::string text = read_all(data_file(name));
    REQUIRE(text.size() > 500);
    for (std::size_t length = 0; length <= text.size(); ++length) {
      const ParsedConfig parsed = parse_fly_toml(std::string_view(text).substr(0, length), "fly.toml");
      if (parsed.config.has_value() == has_errors(parsed.problems)) FAIL(name << " cut at " << length);
    }
  }
}

TEST_CASE("no change of one byte is a crash, and every problem says where it is") {
  const std::string text = read_all(data_file("game.toml"));
  constexpr auto kReplacements = "\0\"'[]{}=.,#\n\\-9z\xff"sv;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    // Two of the replacements at each place keep the loop short; neighbours get different ones.
    for (std::size_t step : {std::size_t{0}, std::size_t{7}}) {
      changed[at] = kReplacements[(at + step) % kReplacements.size()];
      const ParsedConfig parsed = parse_fly_toml(changed, "fly.toml");
      if (parsed.config.has_value() == has_errors(parsed.problems)) FAIL("byte " << at << " changed");
      for (const Problem& problem : parsed.problems) {
        if (problem.line < 1 || problem.column < 1 || render(problem).empty())
          FAIL("byte " << at << " changed");
      }
      if (parsed.config) to_json(*parsed.config);
    }
  }
}

TEST_CASE("a file named without its directory still finds the directory's name for a missing app") {
  const auto directory = std::filesystem::temp_directory_path() / "Flylocal_Config.Test";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "fly.toml") << "[env]\n";
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory);
  const ParsedConfig parsed = load_fly_toml("fly.toml");
  std::filesystem::current_path(before);
  std::filesystem::remove_all(directory);
  REQUIRE(parsed.problems.size() == 1);
  CHECK(parsed.problems[0].file == "fly.toml");
  CHECK(parsed.problems[0].suggestion.find("app = \"flylocal-config-test\"") != std::string::npos);
}

TEST_CASE("a file that cannot be read is a problem that says why") {
  const auto directory = std::filesystem::path(TEST_DATA);
  struct Case {
    std::filesystem::path path;
    std::string_view says;
  };
  const auto big = std::filesystem::temp_directory_path() / "flylocal_config_test_big.toml";
  std::ofstream(big) << "app = \"a\"\n" << std::string(kMaxFlyTomlBytes, '#');
  const Case cases[] = {{directory / "absent.toml", "no such file"}, {directory, "is a directory"},
                        {directory / "fly.json", ".json"},           {directory / "fly.yaml", ".yaml"},
                        {"/dev/null", "not a regular file"},         {big, "larger than 1024 KiB"}};
  for (const Case& c : cases) {
    const ParsedConfig parsed = load_fly_toml(c.path);
    INFO(c.path);
    CHECK_FALSE(parsed.config);
    REQUIRE(parsed.problems.size() == 1);
    CHECK(parsed.problems[0].file == c.path.string());
    CHECK(parsed.problems[0].message.find(c.says) != std::string::npos);
  }
  std::filesystem::remove(big);
}
