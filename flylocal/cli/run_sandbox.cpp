#include "flylocal/cli/run_sandbox.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "dns/resolv_conf.hpp"
#include "flylocal/api/routes.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/version.hpp"
#include "flylocal/config/durations.hpp"
#include "flylocal/project/dns_choice.hpp"
#include "flylocal/project/load.hpp"
#include "netns/privilege.hpp"
#include "proxy/tls/certificate_authority.hpp"

namespace flylocal::cli {
namespace {

std::vector<asio::ip::udp::endpoint> host_resolvers() {
  std::ifstream file("/etc/resolv.conf");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return dns::parse_resolv_conf(text).upstreams;
}

/// What the command line says of the resolver; complains and returns nothing when it is wrong.
std::optional<launch::DnsChoices> chosen_dns(const ProjectOptions& options) {
  launch::DnsChoices choices;
  if (options.dns_order == "random") {
    choices.order = dns::AnswerOrder::random;
  } else if (options.dns_order == "fixed") {
    choices.order = dns::AnswerOrder::fixed;
  } else if (!options.dns_order.empty()) {
    complain(fmt::format("--dns-order: found {:?}, allowed: fixed, random", options.dns_order));
    return std::nullopt;
  }
  if (options.reverse_names) choices.reverse_names = true;
  for (const std::string& word : options.dns_servers) {
    const auto server = dns::parse_upstream(word);
    if (!server) {
      complain("--dns: " + server.error().message);
      return std::nullopt;
    }
    choices.servers.push_back(*server);
  }
  return choices;
}

/// --autostop-interval in milliseconds; complains and returns nothing when it is something else.
std::optional<std::chrono::milliseconds> autostop_interval(const std::string& word) {
  if (word.empty()) return sandbox::Sandbox::Options().autostop_interval;
  // Go's durations need a unit, but for 0.
  const auto parsed = config::parse_go_duration(word);
  if (parsed && *parsed >= config::Duration::zero()) return std::chrono::ceil<std::chrono::milliseconds>(*parsed);
  complain(fmt::format("--autostop-interval: found {:?}, allowed: a duration like 30s or 5m, or 0 for never", word));
  return std::nullopt;
}

bool is_region_code(const std::string& word) {
  return word.size() == 3 && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

/// Two apps cannot have one domain; complains and says so.
bool have_domains_of_their_own(const std::vector<project::AppSpec>& apps) {
  std::map<std::string, const project::AppSpec*> owners;
  for (const project::AppSpec& app : apps)
    for (const std::string& domain : app.domains)
      if (const auto [owner, is_new] = owners.emplace(domain, &app); !is_new) {
        complain(fmt::format("{} is a domain of {} and of {}: it can be one app's only", domain, owner->second->name, app.name));
        return false;
      }
  return true;
}

/// The ports of "6pn:PORT" words; complains and returns nothing when one is something else.
std::optional<std::vector<std::uint16_t>> expected_ports(const std::vector<std::string>& words) {
  std::vector<std::uint16_t> ports;
  constexpr std::string_view kPath = "6pn:";
  for (const std::string& word : words) {
    std::uint16_t port = 0;
    const std::string_view digits = std::string_view(word).substr(std::min(word.size(), kPath.size()));
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!word.starts_with(kPath) || failed != std::errc{} || end != digits.data() + digits.size() || port == 0) {
      complain(fmt::format("--expect: found {:?}, allowed: 6pn:PORT, e.g. 6pn:5432", word));
      return std::nullopt;
    }
    ports.push_back(port);
  }
  return ports;
}

std::optional<std::vector<project::AppSpec>> load_projects(const ProjectOptions& options, Chatter chatter) {
  std::vector<project::AppSpec> apps;
  const auto expected = expected_ports(options.expect);
  if (!expected) return std::nullopt;
  std::vector<std::filesystem::path> directories = options.directories;
  if (directories.empty()) directories = {"."};
  bool failed = false;
  for (const auto& directory : directories) {
    project::LoadedProject loaded = project::load_project(directory, {options.command, options.config_file});
    if (chatter == Chatter::kOn)
      for (const std::string& note : loaded.notes) fmt::print(stderr, "{}\n", paint(Colour::kDim, printable(note)));
    for (const std::string& problem : loaded.problems) fmt::print(stderr, "{}\n", printable_lines(problem));
    failed |= !loaded.app;
    if (!loaded.app) continue;
    auto same = std::find_if(apps.begin(), apps.end(), [&](auto& app) { return app.name == loaded.app->name; });
    if (same != apps.end()) {
      complain(fmt::format("{} and {} are both called {}: app names must differ", same->directory.string(),
                           loaded.app->directory.string(), loaded.app->name));
      failed = true;
      continue;
    }
    apps.push_back(std::move(*loaded.app));
    apps.back().six_pn_ports.insert(apps.back().six_pn_ports.end(), expected->begin(), expected->end());
  }
  if (failed || !have_domains_of_their_own(apps)) return std::nullopt;
  return apps;
}

/// A machine that does nothing, in the present directory.
project::AppSpec peer_app(const project::AppSpec& neighbour) {
  project::AppSpec app;
  app.name = kPeerApp;
  app.is_fixture = true;
  std::error_code failed;
  app.directory = std::filesystem::current_path(failed);
  app.organization = neighbour.organization;
  app.network = neighbour.network;
  app.primary_region = neighbour.primary_region;
  project::GroupSpec& group = app.groups["app"];
  group.config.group = "app";
  group.config.restart.policy = config::RestartPolicy::kNever;
  group.launch.argv = {"sleep", "infinity"};
  group.launch.working_directory = app.directory;
  const char* path = std::getenv("PATH");
  group.launch.env.push_back({"PATH", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
  group.placements.push_back({app.primary_region, 1});
  return app;
}

/// All machines and all clients share the limit; programs in machines get the platform's.
void raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) spdlog::debug("setrlimit: {}", std::strerror(errno));
}

std::string names_of(const std::vector<project::AppSpec>& apps) {
  std::vector<std::string> names;
  for (const auto& app : apps) names.push_back(app.name);
  return fmt::format("running {}", fmt::join(names, ", "));
}

using SignalSet = asio::basic_signal_set<Executor>;

/// The whole life of the sandbox on the main loop.
class Session {
 public:
  Session(asio::io_context& context, sandbox::Sandbox& sandbox, std::filesystem::path state_directory)
      : context_(context),
        sandbox_(sandbox),
        state_directory_(std::move(state_directory)),
        stop_requested_(context.get_executor()),
        server_(context.get_executor()),
        signals_(context.get_executor(), SIGINT, SIGTERM, SIGHUP),
        printer_([this] { asio::post(context_, [this] { request_stop(); }); }) {}

  Task<> run(const std::function<Task<int>(Running&)>& body) {
    Running running{sandbox_, printer_, stop_requested_, stopping_};
    api::add_machine_routes(server_, sandbox_);
    api::add_sandbox_routes(server_, sandbox_, [this] { request_stop(); });
    api::add_request_routes(server_, sandbox_);
    api::add_stream_routes(server_, sandbox_);
    if (auto listening = server_.listen(store::control_socket_path(state_directory_)); !listening) {
      complain(listening.error().message);
      exit_code_ = kCannotRun;
    } else {
      wait_for_signal();
      exit_code_ = co_await body(running);
    }
    stopping_ = true;
    co_await sandbox_.shutdown();
    co_await server_.shutdown();
    signals_.cancel();
  }

  int exit_code() const { return exit_code_; }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (error) return;
      if (stopping_ || signalled_)
        for (const auto& machine : sandbox_.machines())
          if (machine->guest()) machine->guest()->kill();
      signalled_ = true;
      request_stop();
      wait_for_signal();
    });
  }
  void request_stop() {
    stopping_ = true;
    stop_requested_.notify_all();
  }

  asio::io_context& context_;
  sandbox::Sandbox& sandbox_;
  std::filesystem::path state_directory_;
  Notifier stop_requested_;
  bool stopping_ = false;
  bool signalled_ = false;
  int exit_code_ = kCannotRun;
  api::ControlServer server_;
  SignalSet signals_;
  Printer printer_;
};

}  // namespace

Task<> until_stopped(Running& running) {
  while (!running.stopping) {
    co_await running.stop_requested.wait();
  }
}

int run_sandbox(const ProjectOptions& options, const SandboxOptions& how, std::function<Task<int>(Running&)> body) {
  auto cannot = [](const Error& error) {
    complain(error.message);
    return kCannotRun;
  };
  const auto dns_choices = chosen_dns(options);
  if (!dns_choices) return kCannotRun;
  const auto interval = autostop_interval(options.autostop_interval);
  if (!interval) return kCannotRun;
  if (!options.edge_region.empty() && !is_region_code(options.edge_region))
    return cannot({fmt::format("--edge-region: found {:?}, allowed: three lower-case letters, e.g. syd", options.edge_region)});
  auto apps = load_projects(options, how.chatter);
  if (!apps) return kCannotRun;
  project::DnsSettings dns_settings = project::choose_dns(*dns_choices, *apps);
  if (how.chatter == Chatter::kOn)
    for (const std::string& note : dns_settings.notes) fmt::print(stderr, "{}\n", paint(Colour::kDim, printable(note)));
  if (how.with_peer) apps->push_back(peer_app(apps->front()));
  auto directory = store::state_directory();
  if (!directory) return cannot(directory.error());
  auto lock = store::StateLock::acquire(*directory, names_of(*apps));
  if (!lock) return cannot(lock.error());
  // From here on the process may be root of a namespace; nothing before has made a thread.
  auto privilege = netns::acquire_privilege();
  if (!privilege)
    return cannot({privilege.error().message + ": this host does not let flylocal make its sandbox; `flylocal doctor` tells "
                                               "the cause and each way out"});
  auto store = store::Store::open(*directory);
  if (!store) return cannot(store.error());
  auto certificates = store::certificates_directory();
  if (!certificates) return cannot(certificates.error());
  auto authority = proxy::tls::CertificateAuthority::open(*certificates);
  if (!authority) return cannot(authority.error());

  ::signal(SIGPIPE, SIG_IGN);
  raise_open_files_limit();
  asio::io_context context(1);
  sandbox::Sandbox::Options sandbox_options;
  sandbox_options.upstream_resolvers = dns_settings.servers.empty() ? host_resolvers() : std::move(dns_settings.servers);
  sandbox_options.version = kVersion;
  sandbox_options.host_ports = how.host_ports;
  sandbox_options.answer_order = dns_settings.order;
  sandbox_options.reverse_names = dns_settings.reverse_names;
  sandbox_options.authority = std::move(*authority);
  sandbox_options.edge_region = options.edge_region;
  sandbox_options.autostop_interval = *interval;
  sandbox_options.faithful_errors = options.faithful_errors;
  sandbox_options.proxy_threads = options.proxy_threads;
  sandbox_options.http_checks = how.http_probe;
  auto sandbox = sandbox::Sandbox::create(context.get_executor(), *privilege, std::move(*store), std::move(*apps), std::move(sandbox_options));
  if (!sandbox) {
    // A busy port is the user's to free; anything else may be the host's refusal.
    const bool is_port = sandbox.error().code == std::errc::address_in_use;
    return cannot({sandbox.error().message + (is_port ? "" : " (`flylocal doctor` checks what this host allows)")});
  }

  Session session(context, **sandbox, *directory);
  std::exception_ptr failure;
  asio::co_spawn(context, session.run(body), [&](std::exception_ptr ended) {
    failure = ended;
    context.stop();
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return session.exit_code();
}

}  // namespace flylocal::cli
