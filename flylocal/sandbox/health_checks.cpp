#include "flylocal/sandbox/health_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "flylocal/sandbox/machine.hpp"

namespace flylocal::sandbox {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

constexpr std::chrono::milliseconds kFirstPause = 100ms;

std::chrono::milliseconds milliseconds_of(const std::optional<config::Duration>& given, config::Duration otherwise) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(given.value_or(otherwise));
}

CheckSpec spec_of(std::string name, bool of_service, config::CheckType type, config::Port port, const config::CheckTiming& timing,
                  const config::CheckRequest& request) {
  return {std::move(name),
          of_service,
          type,
          port,
          milliseconds_of(timing.interval, config::kDefaultCheckInterval),
          milliseconds_of(timing.timeout, config::kDefaultCheckTimeout),
          milliseconds_of(timing.grace_period, config::kDefaultCheckGracePeriod),
          request};
}

}  // namespace

std::vector<CheckSpec> checks_of(const config::GroupConfig& group) {
  std::vector<CheckSpec> checks;
  for (const config::Service& service : group.services)
    for (const config::ServiceCheck& check : service.checks) {
      std::string name = fmt::format("servicecheck-{:02}-{}-{}", checks.size(), config::name(check.type), service.internal_port);
      checks.push_back(spec_of(std::move(name), true, check.type, service.internal_port, check.timing, check.request));
    }
  for (const config::TopLevelCheck& check : group.checks)
    checks.push_back(spec_of(check.name, false, check.type, check.port, check.timing, check.request));
  return checks;
}

std::string_view name(CheckStatus status) { return status == CheckStatus::kPassing ? "passing" : "critical"; }

void CheckRecord::set_status(CheckStatus status, WallClock::time_point now) {
  if (status_ == status) return;
  status_ = status;
  updated_at_ = now;
}

void CheckRecord::forget(WallClock::time_point now) {
  set_status(CheckStatus::kCritical, now);
  output_ = "the machine hasn't started";
  told_.reset();
  has_passed_ = false;
}

std::optional<CheckStatus> CheckRecord::note(CheckOutcome outcome, bool in_grace_period, WallClock::time_point now) {
  if (!outcome.passed && in_grace_period && has_passed_) return std::nullopt;
  const CheckStatus status = outcome.passed ? CheckStatus::kPassing : CheckStatus::kCritical;
  output_ = std::move(outcome.output);
  has_passed_ |= outcome.passed;
  set_status(status, now);
  if (!outcome.passed && in_grace_period) return std::nullopt;
  if (told_ == status) return std::nullopt;
  told_ = status;
  return status;
}

std::chrono::milliseconds pause_between_attempts(const CheckSpec& check, std::chrono::milliseconds since_start, bool has_passed) {
  return has_passed ? check.interval : std::min(check.interval, std::max(kFirstPause, since_start / 2));
}

HealthChecks::HealthChecks(Machine& machine, MachineWorld& world, std::vector<CheckSpec> specs)
    : machine_(machine), world_(world), tasks_(world.executor) {
  checks_.reserve(specs.size());
  for (CheckSpec& spec : specs) checks_.push_back({std::move(spec), CheckRecord(std::chrono::system_clock::now())});
}

bool HealthChecks::is_healthy(std::uint16_t internal_port) const {
  return std::all_of(checks_.begin(), checks_.end(), [&](const Check& check) {
    return !check.spec.of_service || check.spec.port != internal_port || check.record.status() == CheckStatus::kPassing;
  });
}

void HealthChecks::begin() {
  if (begun_) return;
  begun_ = true;
  for (Check& check : checks_) tasks_.spawn(check.spec.name + " of machine " + machine_.id(), keep_checking(check));
}

Task<> HealthChecks::close() {
  tasks_.cancel();
  co_await tasks_.wait();
}

Task<> HealthChecks::keep_checking(Check& check) {
  const Machine::Condition is_started = [](const Machine& m) { return m.is_started(); };
  for (;;) {
    co_await machine_.wait(is_started, Timer::time_point::max());
    co_await check_a_run(check);
  }
}

/// A run is one life of the machine's program; being suspended is a part of it, in which what was found stays.
Task<> HealthChecks::check_a_run(Check& check) {
  const auto run = machine_.started_at();
  const Machine::Condition may_go_on = [run](const Machine& m) { return m.is_started() || !m.is_suspended() || m.started_at() != run; };
  const Machine::Condition is_interrupted = [run](const Machine& m) { return !m.is_started() || m.started_at() != run; };
  for (;;) {
    const auto begun = std::chrono::steady_clock::now();
    const bool finished = co_await attempt(check, run);
    if (finished) {
      const auto since_start = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - run);
      co_await machine_.wait(is_interrupted, begun + pause_between_attempts(check.spec, since_start, check.record.has_passed()));
    }
    co_await machine_.wait(may_go_on, Timer::time_point::max());
    if (is_interrupted(machine_)) break;
  }
  check.record.forget(std::chrono::system_clock::now());
  world_.on_change();
}

/// False when the machine went away, or asleep, meanwhile: then the outcome says nothing.
Task<bool> HealthChecks::attempt(Check& check, std::chrono::steady_clock::time_point run) {
  const MachineSpec& spec = machine_.spec();
  const Machine::Condition is_interrupted = [run](const Machine& m) { return !m.is_started() || m.started_at() != run; };
  const asio::ip::tcp::endpoint target(spec.address.private_ipv4, check.spec.port);
  auto ended = co_await (attempt_check(*world_.backbone_thread, spec.address.proxy_source(), target, check.spec) ||
                         machine_.wait(is_interrupted, Timer::time_point::max()));
  if (ended.index() == 1 || is_interrupted(machine_)) co_return false;
  const bool in_grace_period = std::chrono::steady_clock::now() - run < check.spec.grace_period;
  const CheckStatus before = check.record.status();
  const auto news = check.record.note(std::move(std::get<0>(ended)), in_grace_period, std::chrono::system_clock::now());
  if (news == CheckStatus::kPassing) machine_.log(fmt::format("health check {} on port {} is now passing", check.spec.name, check.spec.port));
  else if (news)
    machine_.log(fmt::format("health check {} on port {} has failed: {}{}", check.spec.name, check.spec.port, check.record.output(),
                             check.spec.of_service ? "; Fly Proxy sends the port nothing until it passes" : ""));
  if (check.record.status() != before) world_.on_change();
  co_return true;
}

}  // namespace flylocal::sandbox
