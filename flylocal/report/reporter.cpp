#include "flylocal/report/reporter.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <map>

#include "flylocal/report/verdict.hpp"

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;
using sandbox::Machine;
using sandbox::MachineState;

constexpr auto kLeastPatience = 15s;
constexpr auto kConnectLimit = 2s;
constexpr auto kCertainAfter = 2s;
constexpr auto kFirstInterval = 20ms;
constexpr auto kLongestInterval = 250ms;

/// One machine and one port of it, while it is looked at.
struct Subject {
  std::string machine_id;
  std::uint16_t port = 0;
  Finding finding;
  Requirement required;
  bool certain = false;
  bool told_early = false;
  std::chrono::steady_clock::time_point unchanged_since{};
};

/// A TCP connect from `source` in a namespace of ours; closed at once when it works.
Task<Path> try_connect(sandbox::Sandbox& sandbox, const netns::NetworkNamespace& from, asio::ip::address source,
                       asio::ip::tcp::endpoint target) {
  auto fd = co_await sandbox.backbone_thread().run([&]() -> Result<UniqueFd> {
    auto visit = netns::NamespaceVisit::to(from);
    if (!visit) return visit.error();
    UniqueFd made(::socket(target.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return system_error("socket", errno);
    const asio::ip::tcp::endpoint local(source, 0);
    if (::bind(made.get(), local.data(), static_cast<socklen_t>(local.size())) != 0)
      return system_error("bind " + source.to_string(), errno);
    return made;
  });
  if (!fd) {
    spdlog::warn("probe of {}: {}", target.address().to_string(), fd.error().message);
    co_return Path::kUntried;
  }
  TcpSocket socket(co_await asio::this_coro::executor, target.protocol(), fd->release());
  using namespace asio::experimental::awaitable_operators;
  Timer limit(co_await asio::this_coro::executor, kConnectLimit);
  auto outcome = co_await (socket.async_connect(target, as_result) || limit.async_wait(as_result));
  if (outcome.index() == 1) co_return Path::kTimedOut;
  co_return std::get<0>(std::get<0>(outcome)) ? Path::kRefused : Path::kReachable;
}

/// Why a machine is not going to answer; nothing while it runs or is about to.
std::optional<std::string> why_not_running(const Machine& machine) {
  std::string why;
  switch (machine.state()) {
    case MachineState::kStarted: return std::nullopt;
    case MachineState::kStarting:
      if (!machine.last_exit() || machine.restart_count() == 0) return std::nullopt;
      why = fmt::format("the machine is being restarted (restart {})", machine.restart_count());
      break;
    case MachineState::kFailed: return "the machine could not start: " + machine.failure();
    case MachineState::kCreated:
    case MachineState::kStopping:
    case MachineState::kStopped: why = fmt::format("the machine is {}", name(machine.state()));
  }
  if (const auto& exit = machine.last_exit())
    why += exit->signal ? fmt::format("; its program was killed by signal {}", *exit->signal)
                        : fmt::format("; its program exited with code {}{}", exit->exit_code,
                                      exit->exit_code == 0 ? ", and a service must keep running" : "");
  return why;
}

std::string last_lines(sandbox::Sandbox& sandbox, const std::string& machine) {
  constexpr int kLines = 3;
  std::vector<std::string> lines;
  auto& logs = sandbox.logs();
  for (auto number = logs.end(); number > logs.begin() && static_cast<int>(lines.size()) < kLines; --number) {
    const sandbox::LogLine& line = logs.at(number - 1);
    // A program that is restarted says the same again; once is enough.
    if (line.machine == machine && line.source == sandbox::LogLine::Source::kApp && !line.text.empty() &&
        std::find(lines.begin(), lines.end(), line.text) == lines.end())
      lines.insert(lines.begin(), line.text);
  }
  return fmt::format("{}", fmt::join(lines, " | "));
}

std::string restarts(int count) { return count == 1 ? "once" : fmt::format("{} times", count); }

Task<Evidence> collect(sandbox::Sandbox& sandbox, Machine& machine, std::uint16_t port, Requirement required) {
  const auto& address = machine.spec().address;
  Evidence evidence;
  evidence.port = port;
  evidence.required = required;
  evidence.private_ipv4 = address.private_ipv4;
  evidence.global_services = address.global_services();
  evidence.six_pn = address.six_pn;
  evidence.not_running = why_not_running(machine);
  // A job that has done its work is no service that is gone.
  const bool finished = port == 0 && machine.state() == MachineState::kStopped && machine.last_exit() && machine.last_exit()->exit_code == 0;
  if (finished) evidence.not_running.reset();
  if (evidence.not_running) {
    if (std::string lines = last_lines(sandbox, machine.id()); !lines.empty()) *evidence.not_running += "; it last said: " + lines;
    co_return evidence;
  }
  if (!machine.inventory()) co_return evidence;
  auto sockets = machine.inventory()->read();
  if (!sockets) {
    spdlog::warn("machine {}: {}", machine.id(), sockets.error().message);
    co_return evidence;
  }
  evidence.sockets = std::move(*sockets);
  evidence.processes = netns::guest_processes(machine.guest()->init_pid());
  const bool listens = std::any_of(evidence.sockets.begin(), evidence.sockets.end(), [&](const netns::BoundSocket& s) {
    return s.protocol == netns::BoundSocket::Protocol::kTcp && s.port == port;
  });
  // Without a listener the kernel refuses; asking it again and again would only fill the program's log.
  if (port == 0 || !listens) {
    evidence.proxy = evidence.six_pn_path = Path::kRefused;
    // Between two crashes it runs for a moment; "not listening yet" would be the smaller half of the truth.
    if (machine.restart_count() > 0 && machine.last_exit() && (port == 0 || evidence.sockets.empty()))
      evidence.not_running = fmt::format("the program keeps ending: it exited with code {} and was restarted {}; it last said: {}",
                                         machine.last_exit()->exit_code, restarts(machine.restart_count()), last_lines(sandbox, machine.id()));
    co_return evidence;
  }
  const auto& network = sandbox.network_of(machine);
  evidence.proxy = co_await try_connect(sandbox, sandbox.backbone().network_namespace(), address.proxy_source(),
                                        {address.private_ipv4, port});
  evidence.six_pn_path = co_await try_connect(sandbox, *network.peer, platform::peer_address(network.number), {address.six_pn, port});
  co_return evidence;
}

bool offers(const project::GroupSpec& group, std::uint16_t port) {
  return std::any_of(group.config.services.begin(), group.config.services.end(),
                     [&](const config::Service& service) { return service.internal_port == port; });
}

/// Whose port an [[expect]] means: the group's that has it as a service, else the default group's (platform facts 7.7).
std::string group_of_expectation(const project::AppSpec& app, std::uint16_t port) {
  for (const auto& [name, group] : app.groups)
    if (offers(group, port)) return name;
  return app.groups.contains("app") ? "app" : app.groups.begin()->first;
}

std::vector<Subject> subjects_of(sandbox::Sandbox& sandbox) {
  std::vector<Subject> subjects;
  for (const auto& machine : sandbox.machines()) {
    const auto& record = machine->spec().record;
    const auto& group = sandbox.find_app(record.app)->groups.at(record.process_group);
    std::map<std::uint16_t, Requirement> ports;
    for (const config::Service& service : group.config.services)
      if (service.protocol != config::TransportProtocol::kUdp) ports[service.internal_port].proxy = true;
    for (std::uint16_t port : sandbox.find_app(record.app)->six_pn_ports) {
      if (group_of_expectation(*sandbox.find_app(record.app), port) != record.process_group) continue;
      const bool is_service = ports.contains(port);
      ports[port].six_pn = true;
      ports[port].proxy = is_service;
    }
    if (ports.empty()) ports[0].proxy = false;
    for (const auto& [port, required] : ports) {
      Subject& subject = subjects.emplace_back();
      subject.machine_id = record.id;
      subject.port = port;
      subject.required = required;
      subject.finding.app = record.app;
      subject.finding.process_group = record.process_group;
      subject.finding.machine = record.id;
      subject.finding.region = record.region;
      subject.finding.port = port;
    }
  }
  return subjects;
}

Task<> look_at(sandbox::Sandbox& sandbox, Subject& subject, std::chrono::steady_clock::time_point start) {
  const auto machine = sandbox.find_machine(subject.machine_id);
  if (!machine) co_return;
  Evidence evidence = co_await collect(sandbox, *machine, subject.port, subject.required);
  Finding seen = judge(evidence);
  const auto now = std::chrono::steady_clock::now();
  if (seen.code != subject.finding.code) subject.unchanged_since = now;
  subject.finding.severity = seen.severity;
  subject.finding.code = seen.code;
  subject.finding.proxy = seen.proxy;
  subject.finding.six_pn = seen.six_pn;
  subject.finding.sentence = seen.sentence;
  if (seen.code == "running") {
    // Without a port to look at, only time tells a worker from one that crashes at once.
    subject.certain = machine->state() == MachineState::kStopped ||
                      (machine->restart_count() == 0 && now - machine->started_at() >= kCertainAfter);
  } else if (seen.severity == Finding::Severity::kOk) {
    subject.certain = true;
  } else if (seen.code == "not-running") {
    // One that runs again after a crash may yet come to serve.
    subject.certain = machine->state() == MachineState::kStopped || machine->state() == MachineState::kFailed;
  } else if (seen.code != "wrong-port" && seen.severity == Finding::Severity::kProblem) {
    subject.certain = now - subject.unchanged_since >= kCertainAfter && now - start >= kCertainAfter;
  }
}

}  // namespace

std::chrono::milliseconds patience(const sandbox::Sandbox& sandbox) {
  config::Duration longest = kLeastPatience;
  for (const auto& app : sandbox.apps())
    for (const auto& [name, group] : app.groups) {
      for (const auto& check : group.config.checks) longest = std::max(longest, check.timing.grace_period.value_or(0s));
      for (const auto& service : group.config.services)
        for (const auto& check : service.checks) longest = std::max(longest, check.timing.grace_period.value_or(0s));
    }
  return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
}

Task<Report> make_report(sandbox::Sandbox& sandbox, std::chrono::milliseconds time_limit, const EarlyFinding& on_early) {
  const auto start = std::chrono::steady_clock::now();
  const auto deadline = start + time_limit;
  std::vector<Subject> subjects = subjects_of(sandbox);
  std::chrono::steady_clock::duration interval = kFirstInterval;
  for (;;) {
    bool all_certain = true;
    for (Subject& subject : subjects) {
      if (!subject.certain) co_await look_at(sandbox, subject, start);
      all_certain &= subject.certain;
      const bool early = !subject.certain && !subject.told_early && subject.finding.severity != Finding::Severity::kOk &&
                         std::chrono::steady_clock::now() - start >= kCertainAfter;
      if (early && on_early) on_early(subject.finding);
      subject.told_early |= early;
    }
    const auto now = std::chrono::steady_clock::now();
    if (all_certain || now >= deadline) break;
    co_await sleep_for(std::min<std::chrono::steady_clock::duration>(interval, deadline - now));
    interval = std::min<std::chrono::steady_clock::duration>(interval * 3 / 2, kLongestInterval);
  }
  Report report;
  for (Subject& subject : subjects) {
    if (auto machine = sandbox.find_machine(subject.machine_id)) {
      if (subject.finding.severity == Finding::Severity::kProblem) machine->findings()[subject.port] = subject.finding.sentence;
      else machine->findings().erase(subject.port);
    }
    report.findings.push_back(std::move(subject.finding));
  }
  sandbox.publish_soon();
  co_return report;
}

}  // namespace flylocal::report
