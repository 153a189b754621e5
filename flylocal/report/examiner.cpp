#include "flylocal/report/examiner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kFirstPause = 20ms;
/// A change of sockets is to be seen within 300 ms; there is no event to wait for (sock_diag(7) tells of ends only).
constexpr auto kPause = 215ms;
/// Looking at machines that are certain may take this part of the time; with many machines or sockets it is done less often.
constexpr int kPauseOfCost = 1000;
constexpr auto kLongestPause = 5s;
constexpr auto kUncertainAfter = 2s;
constexpr auto kQuestionsMatter = 10s;

std::string key_of(const Result& result) { return fmt::format("{} {} {}", name(result.path), result.port, result.target); }

}  // namespace

Examiner::Examiner(sandbox::Sandbox& sandbox, ExaminationOptions options)
    : sandbox_(sandbox), options_(options), tasks_(sandbox.executor()), attempt_ended_(sandbox.executor()) {}

Task<> Examiner::look_at_all() {
  std::erase_if(examinations_, [&](const auto& one) {
    const bool is_gone = std::none_of(sandbox_.machines().begin(), sandbox_.machines().end(), [&](const auto& machine) { return machine.get() == &one->machine(); });
    if (is_gone) told_versions_.erase(one.get());
    return is_gone;
  });
  for (const auto& machine : sandbox_.machines())
    if (!sandbox_.find_app(machine->spec().record.app)->is_fixture && std::none_of(examinations_.begin(), examinations_.end(), [&](const auto& one) { return &one->machine() == machine.get(); }))
      examinations_.push_back(std::make_unique<MachineExamination>(sandbox_, machine, options_, AttemptRunner(tasks_, attempt_ended_)));
  co_await read_questions();
  for (auto& one : examinations_) one->look();
  if (options_.tells_proxy) tell_proxy();
}

Task<> Examiner::read_questions() {
  const std::uint64_t version = sandbox_.dns().questions_version();
  if (version != questions_version_) {
    questions_version_ = version;
    questions_changed_ = Clock::now();
    questions_ = co_await sandbox_.address_questions();
  }
  // Afterwards nothing that the machines asked can come to mean anything else.
  if (Clock::now() - questions_changed_ > kQuestionsMatter) co_return;
  for (auto& one : examinations_) one->set_questions(questions_);
}

bool Examiner::is_certain() const {
  return std::all_of(examinations_.begin(), examinations_.end(), [](const auto& one) { return one->is_certain(); });
}

std::uint64_t Examiner::sum_of_versions() const {
  std::uint64_t sum = 0;
  for (const auto& one : examinations_) sum += one->version();
  return sum;
}

void Examiner::tell_proxy() {
  bool changed = false;
  for (const auto& one : examinations_) {
    if (std::exchange(told_versions_[one.get()], one->version()) == one->version()) continue;
    const auto machine = sandbox_.find_machine(one->report().machine);
    if (!machine) continue;
    std::map<std::uint16_t, proxy::Finding> findings;
    // With a known cause the proxy stops waiting, so a new one has to be certain; one that was may go at once.
    for (const Result& result : one->report().results)
      if (result.path == Path::kProxy && result.severity == Severity::kProblem && (one->is_certain() || machine->findings().contains(result.port)))
        findings[result.port] = {result.code, result.message, result.fix, result.evidence};
    if (machine->findings() == findings) continue;
    machine->findings() = std::move(findings);
    changed = true;
  }
  if (changed) sandbox_.publish_soon();
}

Task<> Examiner::until_certain(OnUncertain on_uncertain) {
  const auto start = Clock::now();
  std::map<std::string, bool> told;
  std::chrono::milliseconds interval = kFirstPause;
  for (;;) {
    co_await look_at_all();
    if (is_certain()) co_return;
    if (on_uncertain && Clock::now() - start >= kUncertainAfter)
      for (const auto& one : examinations_)
        for (const Result& result : one->report().results)
          if (!one->is_certain() && result.expected && (result.severity == Severity::kPending || result.severity == Severity::kProblem) &&
              !std::exchange(told[one->report().machine + key_of(result)], true))
            on_uncertain(one->report(), result);
    co_await attempt_ended_.wait_until(Clock::now() + interval);
    interval = std::min<std::chrono::milliseconds>(interval * 3 / 2, kPause);
  }
}

Task<> Examiner::watch(OnChange on_change) {
  struct Known {
    std::uint64_t version = 0;
    std::map<std::string, Result> results;
  };
  std::map<const MachineExamination*, Known> known;
  auto compare = [&](const MachineExamination& one, const OnChange& tell) {
    Known& last = known[&one];
    if (last.version == one.version()) return;
    last.version = one.version();
    std::map<std::string, Result> now;
    std::map<std::string, Result>& before = last.results;
    for (const Result& result : one.report().results) {
      std::string key = key_of(result);
      while (now.contains(key)) key += "'";  // a second finding on the same
      const auto old = before.find(key);
      const bool is_open = one.is_open(result);
      if (is_open && old == before.end()) continue;
      const Result& shown = is_open ? old->second : result;
      if (tell && (old == before.end() || old->second.code != shown.code || old->second.severity != shown.severity))
        tell(one.report(), old == before.end() ? nullptr : &old->second, &shown);
      now.emplace(key, shown);
    }
    for (const auto& [key, old] : before)
      if (tell && !now.contains(key)) tell(one.report(), &old, nullptr);
    before = std::move(now);
  };
  for (const auto& one : examinations_) compare(*one, {});
  Clock::duration cost{};
  for (;;) {
    const auto pause = is_certain() ? std::clamp<Clock::duration>(cost * kPauseOfCost, kPause, kLongestPause) : Clock::duration(kPause);
    co_await attempt_ended_.wait_until(Clock::now() + pause);
    const std::uint64_t versions = sum_of_versions();
    const auto begun = Clock::now();
    co_await look_at_all();
    // Of looks that found nothing to do, smoothed, as one may have been interrupted.
    if (sum_of_versions() == versions) cost = (3 * cost + (Clock::now() - begun)) / 4;
    std::erase_if(known, [&](const auto& entry) {
      return std::none_of(examinations_.begin(), examinations_.end(), [&](const auto& one) { return one.get() == entry.first; });
    });
    for (const auto& one : examinations_) compare(*one, on_change);
  }
}

Report Examiner::report() const {
  Report report;
  for (const auto& one : examinations_) report.machines.push_back(one->report());
  for (const auto& app : sandbox_.apps())
    for (const auto& [group_name, group] : app.groups) {
      const bool has_machine = std::any_of(report.machines.begin(), report.machines.end(),
                                           [&](const MachineReport& one) { return one.app == app.name && one.process_group == group_name; });
      if (has_machine || group.config.services.empty()) continue;
      MachineReport& missing = report.machines.emplace_back();
      missing.app = app.name;
      missing.process_group = group_name;
      missing.state = "none";
      for (const config::Service& service : group.config.services) {
        Result& result = missing.results.emplace_back();
        result.path = service.protocol == config::TransportProtocol::kUdp ? Path::kUdp : Path::kProxy;
        result.port = service.internal_port;
        result.target = fmt::format("fly.toml:{}", service.place.line);
        result.severity = Severity::kProblem;
        result.code = "no-machine";
        result.message = fmt::format("the service belongs to process group {}, which has no machine", group_name);
        result.fix = fmt::format("flylocal scale count {}=1; on Fly.io: fly scale count {}=1", group_name, group_name);
      }
    }
  return report;
}

Task<> Examiner::close() {
  tasks_.cancel();
  co_await tasks_.wait();
}

Task<Report> make_report(sandbox::Sandbox& sandbox, ExaminationOptions options, Examiner::OnUncertain on_uncertain) {
  Examiner examiner(sandbox, options);
  std::exception_ptr failure;
  try {
    co_await examiner.until_certain(std::move(on_uncertain));
  } catch (const boost::system::system_error&) {
    // Cancelled: what is being tried refers to the examiner, and ends first.
    failure = std::current_exception();
  }
  co_await examiner.close();
  if (failure) std::rethrow_exception(failure);
  co_return examiner.report();
}

}  // namespace flylocal::report
