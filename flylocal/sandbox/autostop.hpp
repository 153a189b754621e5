#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/config/app_config.hpp"

namespace flylocal::sandbox {

/// A machine of an app as autostop looks at it.
struct AutostopMachine {
  std::string id;
  std::string process_group;
  std::string region;
  bool is_running = false;  ///< started, and taking traffic: a cordoned machine is no capacity
  config::AutoStop action = config::AutoStop::kOff;
  int min_running = 0;     ///< min_machines_running
  std::uint32_t load = 0;  ///< connections or requests of all its services
  bool is_over_soft = false;  ///< one of its services is at its soft_limit or above
};

/// A machine to put to rest.
struct AutostopChoice {
  std::string machine_id;
  std::string region;
  config::AutoStop action = config::AutoStop::kStop;
  int left_running = 0;  ///< of the machines that do the same in the region
  int of_machines = 0;   ///< how many of these there are, running or not
  bool must_be_idle = false;  ///< chosen only because it had no load
};

/// One pass for one app (platform facts 4.9). In each region at most one machine is chosen: of several running ones when one more
/// than those over their soft limit, and a spare one, is there; the only one when it has no load. min_machines_running holds in
/// the primary region. Machines of different process groups serve different things, so groups are weighed each for itself; where several
/// could give a machine, the first group does. Of the machines that would do the one with the least load is chosen, the youngest among equals.
/// `machines` are in the order of their creation.
std::vector<AutostopChoice> autostop_choice(const std::vector<AutostopMachine>& machines, std::string_view primary_region);

/// What applies to a machine whose services differ: the most careful of off, stop, suspend; off without services.
config::AutoStop autostop_action(const std::vector<config::Service>& services);

/// Whether a machine of this size can be suspended (platform facts 4.10).
bool can_be_suspended(int memory_mb, bool has_swap);

}  // namespace flylocal::sandbox
