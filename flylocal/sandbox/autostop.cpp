#include "flylocal/sandbox/autostop.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace flylocal::sandbox {

std::vector<AutostopChoice> autostop_choice(const std::vector<AutostopMachine>& machines, std::string_view primary_region) {
  struct Pool {
    int all = 0, over_soft = 0, min_running = 0;
    std::vector<const AutostopMachine*> running;
  };
  std::map<std::pair<std::string_view, std::string_view>, Pool> pools;  // by region and process group
  for (const AutostopMachine& machine : machines) {
    Pool& pool = pools[{machine.region, machine.process_group}];
    ++pool.all;
    pool.min_running = std::max(pool.min_running, machine.min_running);
    if (!machine.is_running) continue;
    pool.over_soft += machine.is_over_soft;
    pool.running.push_back(&machine);
  }

  std::vector<AutostopChoice> choices;
  std::set<std::string_view> regions_done;
  for (const auto& [place, pool] : pools) {
    const std::string_view region = place.first;
    const int running = static_cast<int>(pool.running.size());
    const bool is_lone = running == 1;
    const int excess = is_lone ? 1 : running - (pool.over_soft + 1);
    if (excess < 1 || regions_done.contains(region)) continue;
    if (region == primary_region && running <= pool.min_running) continue;
    const AutostopMachine* chosen = nullptr;
    for (const AutostopMachine* machine : pool.running) {
      if (machine->action == config::AutoStop::kOff || (is_lone && machine->load > 0)) continue;
      if (!chosen || machine->load <= chosen->load) chosen = machine;
    }
    if (!chosen) continue;
    regions_done.insert(region);
    choices.push_back({chosen->id, chosen->region, chosen->action, running - 1, pool.all, is_lone});
  }
  return choices;
}

config::AutoStop autostop_action(const std::vector<config::Service>& services) {
  if (services.empty()) return config::AutoStop::kOff;
  const auto has = [&](config::AutoStop action) {
    return std::any_of(services.begin(), services.end(), [&](const config::Service& service) { return service.auto_stop_machines == action; });
  };
  if (has(config::AutoStop::kOff)) return config::AutoStop::kOff;
  return has(config::AutoStop::kStop) ? config::AutoStop::kStop : config::AutoStop::kSuspend;
}

bool can_be_suspended(int memory_mb, bool has_swap) {
  constexpr int kMostMemoryMb = 2048;
  return memory_mb <= kMostMemoryMb && !has_swap;
}

}  // namespace flylocal::sandbox
