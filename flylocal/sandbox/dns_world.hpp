#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dns/zone.hpp"
#include "flylocal/project/app_spec.hpp"
#include "flylocal/sandbox/app_addresses.hpp"
#include "flylocal/store/store.hpp"

namespace flylocal::sandbox {

/// What of the sandbox the DNS answers from, at one moment. What is pointed at has to outlive the call only.
struct DnsFacts {
  struct Machine {
    const store::MachineRecord* record;
    bool is_started;
  };
  const std::vector<project::AppSpec>* apps;
  const NetworkNumbers* networks;
  const std::map<std::string, AppAddresses>* addresses;  ///< of every app
  std::vector<Machine> machines;                         ///< in the order of their creation
  std::string edge_region;                               ///< where the user, who asks as a peer, stands
  dns::AnswerOrder order = dns::AnswerOrder::fixed;
  bool reverse_names = false;
  std::shared_ptr<const dns::NearestRegions> nearest;
};

/// The world as the DNS is to show it: each app on its own network, flylocal's peer on all of them, the public names of
/// the apps for everybody. A public name of an app without public addresses is in it, too: whoever has that name on the
/// internet is not to be asked.
dns::World dns_world(const DnsFacts& facts);

}  // namespace flylocal::sandbox
