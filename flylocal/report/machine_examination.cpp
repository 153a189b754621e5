#include "flylocal/report/machine_examination.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "flylocal/report/advice.hpp"
#include "flylocal/report/conversations.hpp"
#include "flylocal/report/machine_view.hpp"

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;
using netns::BoundSocket;
using sandbox::MachineState;

constexpr auto kConnectPause = 250ms;
constexpr auto kAskPause = 1s;
constexpr auto kGreetingTime = 60ms;
/// A bind that Fly Proxy cannot reach may be followed by another one; after this time it is what the program wants.
constexpr auto kCertainAfter = 2s;
/// An application that answers 5xx may still be starting.
constexpr auto kErrorsCertainAfter = 5s;
/// A program without services that has not listened until now is no server.
constexpr auto kNoListenerCertainAfter = 5s;
/// What the attempts that still run when the time is over may take.
constexpr auto kLastAttempts = 8s;
/// Of the ports that no service names so many are tried, the lowest ones.
constexpr std::size_t kMostSidePorts = 32;

bool is_reachable(Reach reach) { return reach == Reach::kReachable; }

bool is_answered(const HttpAnswer& answer) { return answer.kind == HttpAnswer::Kind::kAnswered && answer.status < 500; }

std::vector<Listener> listeners_of(const MachineView& view) {
  std::unordered_map<std::uint32_t, const netns::GuestProcess*> owners;
  // The parent comes before its workers, and its name is the one to tell.
  for (const netns::GuestProcess& process : view.processes)
    for (std::uint32_t inode : process.socket_inodes) owners.emplace(inode, &process);
  std::vector<Listener> listeners;
  for (const BoundSocket& socket : view.sockets) {
    Listener& listener = listeners.emplace_back();
    listener.protocol = socket.protocol == BoundSocket::Protocol::kTcp ? Listener::Protocol::kTcp : Listener::Protocol::kUdp;
    listener.address = socket.address.to_string();
    listener.port = socket.port;
    listener.v6_only = socket.v6_only;
    listener.queued = socket.queued;
    listener.backlog = socket.backlog;
    const auto owner = owners.find(socket.inode);
    if (owner == owners.end()) continue;
    listener.pid = owner->second->pid;
    listener.process = owner->second->name;
    listener.command = fmt::format("{}", fmt::join(owner->second->command_line, " "));
  }
  return listeners;
}

template <class Outcome>
std::optional<Outcome> outcome_of(const AttemptPtr<Outcome>& attempt) {
  return attempt ? attempt->outcome : std::nullopt;
}

}  // namespace

TcpOutcomes MachineExamination::TcpAttempts::outcomes() const {
  TcpOutcomes result;
  result.proxy = outcome_of(proxy);
  result.six_pn = outcome_of(six_pn);
  result.published = outcome_of(published);
  result.greeting = outcome_of(greeting);
  result.six_pn_greeting = outcome_of(six_pn_greeting);
  result.http = outcome_of(http);
  result.six_pn_http = outcome_of(six_pn_http);
  result.published_http = outcome_of(published_http);
  result.takes_tls = outcome_of(tls);
  result.proxy_line = outcome_of(proxy_line);
  return result;
}

MachineExamination::MachineExamination(sandbox::Sandbox& sandbox, std::shared_ptr<sandbox::Machine> machine, ExaminationOptions options, AttemptRunner attempts)
    : sandbox_(sandbox),
      machine_(std::move(machine)),
      options_(options),
      expectations_(expectations_of(*sandbox.find_app(machine_->spec().record.app),
                                    sandbox.find_app(machine_->spec().record.app)->groups.at(machine_->spec().record.process_group))),
      time_limit_(options.time_limit.value_or(patience(expectations_))),
      attempts_(attempts),
      proxy_side_{&sandbox.backbone_thread(), &sandbox.backbone().network_namespace(), machine_->spec().address.proxy_source()},
      checker_side_{&sandbox.backbone_thread(), &sandbox.backbone().network_namespace(), machine_->spec().address.gateway()},
      six_pn_side_{&sandbox.backbone_thread(), sandbox.network_of(*machine_).peer.get(), platform::peer_address(sandbox.network_of(*machine_).number)},
      host_side_{nullptr, nullptr, {}},
      checks_(expectations_.checks.size()) {
  const auto& record = machine_->spec().record;
  report_.app = record.app;
  report_.process_group = record.process_group;
  report_.machine = record.id;
  report_.region = record.region;
  report_.grace_period = expectations_.grace_period;
}

void MachineExamination::look() {
  if (notice_changes()) {
    // What changes while nothing is certain yet, as a program that crashes again and again, gets no new time.
    if (certain_ || begun_ == Clock::time_point()) begun_ = Clock::now();
    certain_ = false;
  }
  if (certain_) return;
  view_ = view_machine(sandbox_, *machine_);
  std::vector<SocketTrait> now = traits(view_.sockets);
  forget_changed_ports(now);
  traits_ = std::move(now);
  if (!traits_.empty()) machine_->note_listening();
  if (!view_.not_running) try_everything();
  judge();
  settle();
  ++version_;
}

bool MachineExamination::notice_changes() {
  const std::size_t refusals = sandbox_.refusals().size();
  bool changed = state_seen_ != machine_->state() || run_seen_ != machine_->started_at() || questions_changed_ || refusals_seen_ != refusals;
  // A dead guest has no sockets; a new one has none yet.
  if (machine_->inventory()) {
    const auto kinds = expectations_.udp.empty() ? netns::SocketInventory::Kinds::kTcp : netns::SocketInventory::Kinds::kTcpAndUdp;
    if (auto sockets = machine_->inventory()->read(kinds)) changed |= traits(*sockets) != traits_;
  }
  if (run_seen_ != machine_->started_at()) {
    tcp_.clear();
    udp_.clear();
    checks_.assign(checks_.size(), nullptr);
  }
  state_seen_ = machine_->state();
  run_seen_ = machine_->started_at();
  refusals_seen_ = refusals;
  questions_changed_ = false;
  return changed;
}

std::vector<MachineExamination::SocketTrait> MachineExamination::traits(const std::vector<BoundSocket>& sockets) const {
  std::vector<SocketTrait> result;
  for (const BoundSocket& socket : sockets) {
    // Every look-up of a name makes a UDP socket; only those on the ports of UDP services tell anything.
    const bool is_service = std::find(expectations_.udp.begin(), expectations_.udp.end(), socket.port) != expectations_.udp.end();
    if (socket.protocol == BoundSocket::Protocol::kUdp && !is_service) continue;
    const bool is_full = socket.protocol == BoundSocket::Protocol::kTcp && socket.queued > socket.backlog;
    result.push_back({socket.protocol, socket.address, socket.port, socket.v6_only, is_full, socket.inode});
  }
  std::sort(result.begin(), result.end());
  return result;
}

void MachineExamination::forget_changed_ports(const std::vector<SocketTrait>& now) {
  std::vector<SocketTrait> different;
  std::set_symmetric_difference(now.begin(), now.end(), traits_.begin(), traits_.end(), std::back_inserter(different));
  std::set<std::uint16_t> changed;
  for (const SocketTrait& trait : different) changed.insert(trait.port);
  for (std::uint16_t port : changed) {
    tcp_.erase(port);
    udp_.erase(port);
  }
  for (std::size_t i = 0; i < checks_.size(); ++i)
    if (changed.contains(expectations_.checks[i].port)) checks_[i].reset();
}

bool MachineExamination::listens(BoundSocket::Protocol protocol, std::uint16_t port) const { return !sockets_on(view_, protocol, port).empty(); }

void MachineExamination::try_everything() {
  // Without a listener the kernel refuses; asking it again and again would tell nothing.
  for (const TcpExpectation& expected : expectations_.tcp)
    if (listens(BoundSocket::Protocol::kTcp, expected.port)) try_service_port(expected);
  std::set<std::uint16_t> side_ports;
  for (const SocketTrait& trait : traits_)
    if (trait.protocol == BoundSocket::Protocol::kTcp) side_ports.insert(trait.port);
  for (const TcpExpectation& expected : expectations_.tcp) side_ports.erase(expected.port);
  std::size_t count = 0;
  for (std::uint16_t port : side_ports) {
    if (++count > kMostSidePorts) break;
    attempts_.keep_trying(tcp_[port].six_pn, "try a port over 6PN", kConnectPause, is_reachable,
                          [&] { return knock(six_pn_side_, {view_.addresses.six_pn, port}); });
    try_six_pn_greeting(tcp_[port], port);
  }
  for (std::uint16_t port : expectations_.udp) {
    if (!listens(BoundSocket::Protocol::kUdp, port)) continue;
    const Program* program = program_on(view_, port);
    constexpr std::string_view kDnsServers[] = {"dnsmasq", "unbound", "bind9", "nsd", "coredns"};
    const bool is_dns = program && std::find(std::begin(kDnsServers), std::end(kDnsServers), program->id) != std::end(kDnsServers);
    attempts_.keep_trying(udp_[port], "try a UDP port", kAskPause, [](const UdpAnswer& answer) { return answer.source.has_value(); },
                          [&] { return ask_udp(proxy_side_, {view_.addresses.global_services, port}, udp_payload(port, is_dns)); });
  }
  for (std::size_t i = 0; i < checks_.size(); ++i)
    if (listens(BoundSocket::Protocol::kTcp, expectations_.checks[i].port)) try_check(i);
}

void MachineExamination::try_six_pn_greeting(TcpAttempts& tried, std::uint16_t port) {
  const auto reach = outcome_of(tried.six_pn);
  if (!reach || !is_reachable(*reach)) return;
  attempts_.keep_trying(tried.six_pn_greeting, "wait for a greeting over 6PN", kAskPause, [](const std::string&) { return true; },
                        [&] { return greeting(six_pn_side_, {view_.addresses.six_pn, port}, kGreetingTime); });
}

void MachineExamination::try_service_port(const TcpExpectation& expected) {
  TcpAttempts& tried = tcp_[expected.port];
  if (expected.proxy)
    attempts_.keep_trying(tried.proxy, "try a port as Fly Proxy", kConnectPause, is_reachable,
                          [&] { return knock(proxy_side_, {view_.addresses.private_ipv4, expected.port}); });
  attempts_.keep_trying(tried.six_pn, "try a port over 6PN", kConnectPause, is_reachable,
                        [&] { return knock(six_pn_side_, {view_.addresses.six_pn, expected.port}); });
  if (!expected.http) try_six_pn_greeting(tried, expected.port);
  const auto proxy = outcome_of(tried.proxy);
  if (!proxy || !is_reachable(*proxy)) return;
  // Who serves HTTP waits for the client to speak first.
  if (!expected.http)
    attempts_.keep_trying(tried.greeting, "wait for a greeting", kAskPause, [](const std::string&) { return true; },
                          [&] { return greeting(proxy_side_, {view_.addresses.private_ipv4, expected.port}, kGreetingTime); });
  if (options_.http_probe) try_conversation(expected, tried);
  try_published(expected, tried);
}

void MachineExamination::try_conversation(const TcpExpectation& expected, TcpAttempts& tried) {
  const asio::ip::tcp::endpoint target(view_.addresses.private_ipv4, expected.port);
  const std::string host = report_.app + ".fly.dev";
  const auto limit = std::max<std::chrono::milliseconds>(kCertainAfter, std::chrono::duration_cast<std::chrono::milliseconds>(begun_ + time_limit_ - Clock::now()));
  if (expected.http || expected.http2)
    attempts_.keep_trying(tried.http, "ask a port as Fly Proxy", kAskPause, has_answered,
                          [&] { return converse(proxy_side_, target, host, expected, limit); });
  if (expected.http) {
    const auto six_pn = outcome_of(tried.six_pn);
    const auto http = outcome_of(tried.http);
    if (http && is_answered(http->asked) && six_pn && is_reachable(*six_pn))
      attempts_.keep_trying(tried.six_pn_http, "ask a port over 6PN", kAskPause, is_answered,
                            [&] { return ask_http(six_pn_side_, {view_.addresses.six_pn, expected.port}, "", request_of_machine(report_.app + ".internal"), limit); });
  }
  if (expected.proxy_protocol)
    attempts_.keep_trying(tried.proxy_line, "try a PROXY header", kAskPause, [](const auto& both) { return both.second.kind == HttpAnswer::Kind::kAnswered; },
                          [&] { return compare_proxy_line(proxy_side_, target, host); });
  if (expected.raw_https)
    attempts_.keep_trying(tried.tls, "try TLS", kAskPause, [](bool takes) { return takes; }, [&] { return takes_tls(proxy_side_, target); });
}

void MachineExamination::try_published(const TcpExpectation& expected, TcpAttempts& tried) {
  const sandbox::PublishedPort* port = published(expected.port);
  if (!port) return;
  const asio::ip::tcp::endpoint target(asio::ip::address_v4::loopback(), port->host_port);
  // A server of gRPC need not answer a request that is none of gRPC's: whether it speaks HTTP/2 is asked of itself.
  if (!expected.http || !port->handlers.http || !options_.http_probe) {
    attempts_.keep_trying(tried.published, "try a published port", kConnectPause, is_reachable, [&] { return knock(host_side_, target); });
    return;
  }
  const auto http = outcome_of(tried.http);
  if (!http || http->asked.kind != HttpAnswer::Kind::kAnswered) return;
  attempts_.keep_trying(tried.published_http, "ask a published port", kAskPause, is_answered,
                        [&, secure = port->handlers.tls] { return ask_published(target, secure); });
}

void MachineExamination::try_check(std::size_t index) {
  const CheckExpectation& check = expectations_.checks[index];
  if (check.type == config::CheckType::kHttp && !options_.http_probe) return;
  attempts_.keep_trying(checks_[index], "make a check", kAskPause,
                        [&](const HttpAnswer& answer) {
                          return check.type == config::CheckType::kTcp ? answer.reach == Reach::kReachable : answer.status >= 200 && answer.status < 300;
                        },
                        [&] { return make_check(checker_side_, {view_.addresses.private_ipv4, check.port}, check); });
}

Task<HttpAnswer> MachineExamination::ask_published(asio::ip::tcp::endpoint target, bool secure) {
  const std::string host = report_.app + ".fly.dev";
  HttpAsk ask{"GET", "/", host, {}};
  if (!secure) co_return co_await ask_http(host_side_, target, "", ask, kCertainAfter);
  HttpsAnswer answer = co_await ask_https(host_side_, target, host, ask, kCertainAfter);
  co_return answer.answer;
}

const sandbox::PublishedPort* MachineExamination::published(std::uint16_t port) const {
  // The plainest way that leads to the program: force_https answers by itself.
  const auto detours = [](const sandbox::PublishedPort& one, const sandbox::PublishedPort::Backend& backend) {
    return backend.http.force_https ? 2 : one.handlers.tls ? 1 : 0;
  };
  const sandbox::PublishedPort* best = nullptr;
  int fewest = 0;
  for (const sandbox::PublishedPort& one : sandbox_.ports())
    for (const auto& backend : one.backends) {
      if (backend.app != report_.app || backend.process_group != report_.process_group || backend.internal_port != port) continue;
      if (best && detours(one, backend) >= fewest) continue;
      best = &one;
      fewest = detours(one, backend);
    }
  return best;
}

std::map<std::uint16_t, std::string> MachineExamination::refused_over_six_pn() const {
  std::map<std::uint16_t, std::string> by_port;
  for (const netns::Refusal& refusal : sandbox_.refusals()) {
    if (refusal.server != machine_->spec().address.six_pn) continue;
    for (const auto& other : sandbox_.machines())
      if (other->spec().address.six_pn == refusal.client && other != machine_)
        by_port[refusal.port] = fmt::format("machine {} of {}", other->id(), other->spec().record.app);
  }
  return by_port;
}

void MachineExamination::set_questions(const std::vector<dns::AddressQuestion>& questions) {
  constexpr std::string_view kInternal = ".internal";
  std::vector<std::string> names;
  for (const dns::AddressQuestion& one : questions)
    if (one.client == machine_->spec().address.six_pn && one.asked_ipv4 && !one.asked_ipv6 && one.name.ends_with(kInternal) &&
        Clock::now() - one.first_asked >= kCertainAfter)
      names.push_back(one.name);
  std::sort(names.begin(), names.end());
  questions_changed_ |= names != asked_for_ipv4_only_;
  asked_for_ipv4_only_ = std::move(names);
}

void MachineExamination::judge() {
  MachineEvidence evidence;
  evidence.app = report_.app;
  evidence.expectations = &expectations_;
  evidence.view = view_;
  evidence.http_probe = options_.http_probe;
  const auto& exit = machine_->last_exit();
  evidence.finished_well = machine_->state() == MachineState::kStopped && exit && exit->exit_code == 0;
  for (const auto& [port, tried] : tcp_) evidence.tcp[port] = tried.outcomes();
  for (const TcpExpectation& expected : expectations_.tcp)
    if (const auto* port = published(expected.port))
      evidence.tcp[expected.port].published_as = port->handlers.http
                                                      ? fmt::format("{}://localhost:{}/", port->handlers.tls ? "https" : "http", port->host_port)
                                                      : fmt::format("localhost:{}", port->host_port);
  for (const auto& [port, by_whom] : refused_over_six_pn())
    if (listens(BoundSocket::Protocol::kTcp, port) || std::any_of(expectations_.tcp.begin(), expectations_.tcp.end(), [&](auto& one) { return one.port == port; }))
      evidence.tcp[port].refused_to = by_whom;
  for (const auto& [port, attempt] : udp_)
    if (attempt && attempt->outcome) evidence.udp[port] = *attempt->outcome;
  for (const auto& attempt : checks_) evidence.checks.push_back(outcome_of(attempt));
  if (machine_->listened_at() && machine_->is_started())
    evidence.listened_after = std::chrono::duration_cast<std::chrono::milliseconds>(*machine_->listened_at() - machine_->started_at());
  evidence.asked_for_ipv4_only = asked_for_ipv4_only_;

  report_.state = name(machine_->state());
  report_.listened_after = evidence.listened_after;
  report_.listeners = listeners_of(view_);
  const Program* program = program_on(view_, expectations_.tcp.empty() ? 0 : expectations_.tcp.front().port);
  if (!view_.processes.empty()) report_.program = program ? program->title : "";
  report_.results = judge_machine(evidence);
}

void MachineExamination::settle() {
  const auto now = Clock::now();
  const bool time_is_over = now >= begun_ + time_limit_;
  std::map<std::string, Clock::time_point> verdicts_since;
  certain_ = true;
  for (Result& result : report_.results) {
    const std::string key = fmt::format("{} {} {} {} {}", name(result.path), result.port, result.target, result.code, name(result.severity));
    const auto before = verdicts_since_.find(key);
    const Clock::time_point since = verdicts_since[key] = before != verdicts_since_.end() ? before->second : now;
    // An attempt is worth waiting for, as each has a limit of its own.
    // What is good has to stay so, whenever it became good.
    const bool is_bad = result.severity == Severity::kPending || result.severity == Severity::kProblem;
    const bool has_had_its_time = time_is_over && is_bad && (!is_open(result) || now >= begun_ + time_limit_ + kLastAttempts);
    certain_ &= is_certain_result(result, now - since) || has_had_its_time;
    // Who has had the time that Fly.io gives has no more excuse; a shorter limit leaves it open.
    if (has_had_its_time && result.severity == Severity::kPending && time_limit_ >= patience(expectations_))
      result.severity = result.expected ? Severity::kProblem : Severity::kNote;
  }
  verdicts_since_ = std::move(verdicts_since);
}

bool MachineExamination::is_open(const Result& result) const {
  return result.severity == Severity::kPending && !view_.not_running && result.reach != Reach::kRefused;
}

bool MachineExamination::is_certain_result(const Result& result, Clock::duration stands) const {
  const bool has_ended = machine_->state() == MachineState::kStopped || machine_->state() == MachineState::kFailed;
  // What fly.toml or the resolver's journal tells does not change by waiting.
  if (result.target.starts_with("fly.toml") || result.path == Path::kDns || result.code == "slow-start") return true;
  if (has_ended) return true;
  if (view_.not_running) return false;  // it may be started again and come to serve
  if (result.code == "running") return machine_->restart_count() == 0 && Clock::now() - machine_->started_at() >= kNoListenerCertainAfter;
  switch (result.severity) {
    case Severity::kPending: return false;
    case Severity::kOk: return stands >= options_.settle;
    case Severity::kNote: {
      // A path that nothing requires is tried once.
      const bool is_open = result.path == Path::k6pn && listens(BoundSocket::Protocol::kTcp, result.port) && result.reach == Reach::kUntried;
      return !is_open && stands >= options_.settle;
    }
    case Severity::kWarning: return stands >= (result.code == "server-error" ? std::chrono::milliseconds(kErrorsCertainAfter) : options_.settle);
    case Severity::kProblem: break;
  }
  // These may pass while the program is still starting: a debugger's port is opened first, a check fails at first.
  constexpr std::string_view kMayPass[] = {"wrong-port", "udp-only", "closes-connection", "no-answer", "not-accepting", "name-not-accepted", "address-in-use",
                                           "wildcards-collide", "address-not-here", "check-unreachable", "check-redirects", "check-not-2xx", "check-timeout", "published-unreachable"};
  if (std::find(std::begin(kMayPass), std::end(kMayPass), result.code) != std::end(kMayPass)) return false;
  return stands >= kCertainAfter;
}

}  // namespace flylocal::report
