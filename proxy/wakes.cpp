#include "proxy/wakes.hpp"

#include <algorithm>

namespace flylocal::proxy {
namespace {

template <class Machines>
auto find_machine(const Machines& machines, std::string_view id) {
  return std::find_if(machines.begin(), machines.end(), [id](const auto& one) { return one.machine_id == id; });
}

constexpr std::size_t kFailuresKept = 256;

enum class Progress { sleeping, starting, arrived, lost };

Progress progress_of(const Wakes::Wake& wake, const RoutingSnapshot& snapshot) {
  auto progress = Progress::lost;
  for (const Service& service : snapshot.services) {
    auto upstream = find_machine(service.upstreams, wake.machine_id);
    if (upstream != service.upstreams.end()) {
      if (upstream->healthy && !upstream->cordoned) return Progress::arrived;
      progress = Progress::starting;
      continue;
    }
    auto sleeper = find_machine(service.sleepers, wake.machine_id);
    bool sleeps = sleeper != service.sleepers.end() && sleeper->ended_starts <= wake.ended_starts;
    if (sleeps && progress == Progress::lost) progress = Progress::sleeping;
  }
  return progress;
}

bool has_machine(const Service& service, std::string_view id) {
  return find_machine(service.upstreams, id) != service.upstreams.end() ||
         find_machine(service.sleepers, id) != service.sleepers.end();
}

}  // namespace

const Wakes::Wake* Wakes::find(std::uint64_t number) const {
  auto found = std::find_if(under_way_.begin(), under_way_.end(),
                            [number](const Wake& wake) { return wake.number == number; });
  return found == under_way_.end() ? nullptr : &*found;
}

bool Wakes::has_failed(std::uint64_t number) const {
  return std::find(failed_.begin(), failed_.end(), number) != failed_.end();
}

const Wakes::Wake* Wakes::of(const Service& service, Clock::time_point now) {
  // Nobody may have waited for one until it was due.
  counters_.wake_failures.add(std::erase_if(under_way_, [now](const Wake& wake) { return wake.due <= now; }));
  auto found = std::find_if(under_way_.begin(), under_way_.end(),
                            [&](const Wake& wake) { return has_machine(service, wake.machine_id); });
  return found == under_way_.end() ? nullptr : &*found;
}

const Wakes::Wake& Wakes::begin(const Sleeper& sleeper, Clock::time_point due) {
  count(counters_.wakes);
  return under_way_.emplace_back(Wake{sleeper.machine_id, ++last_number_, due, sleeper.ended_starts});
}

void Wakes::give_up(std::uint64_t number) {
  counters_.wake_failures.add(std::erase_if(under_way_, [number](const Wake& wake) { return wake.number == number; }));
}

void Wakes::on_snapshot(const RoutingSnapshot& snapshot) {
  std::erase_if(under_way_, [&](const Wake& wake) {
    Progress progress = progress_of(wake, snapshot);
    if (progress == Progress::lost) {
      count(counters_.wake_failures);
      if (failed_.size() == kFailuresKept) failed_.erase(failed_.begin());
      failed_.push_back(wake.number);
    }
    return progress == Progress::lost || progress == Progress::arrived;
  });
}

}  // namespace flylocal::proxy
