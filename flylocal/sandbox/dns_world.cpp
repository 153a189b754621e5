#include "flylocal/sandbox/dns_world.hpp"

#include <string_view>
#include <unordered_map>

#include "netns/backbone.hpp"

namespace flylocal::sandbox {
namespace {

constexpr const char* kPeerName = "flylocal";

dns::Machine named(const DnsFacts::Machine& machine) {
  const store::MachineRecord& record = *machine.record;
  // The metadata that every machine of a deploy has (platform facts 7.7), as far as there is one here.
  return {record.id,
          record.region,
          record.process_group,
          record.six_pn,
          machine.is_started ? dns::MachineState::started : dns::MachineState::not_started,
          {{"fly_process_group", record.process_group}, {"fly_platform_version", "v2"}}};
}

}  // namespace

dns::World dns_world(const DnsFacts& facts) {
  std::unordered_map<std::string_view, std::vector<dns::Machine>> machines;
  for (const DnsFacts::Machine& machine : facts.machines) machines[machine.record->app].push_back(named(machine));

  dns::World world;
  world.order = facts.order;
  world.reverse_names = facts.reverse_names;
  world.nearest = facts.nearest;
  for (const auto& [names, number] : *facts.networks) {
    dns::Network& network = world.networks.emplace_back();
    network.id = static_cast<dns::NetworkId>(number);
    network.peers.push_back({kPeerName, platform::peer_address(number)});
    // Its port 4280 is served on the control socket, and not here.
    network.api = netns::resolver_address();
    network.client_region = facts.edge_region;
    for (const project::AppSpec& app : *facts.apps) {
      if (std::pair(app.organization, app.network) != names) continue;
      dns::App& out = network.apps.emplace_back();
      out.name = app.name;
      out.machines = std::move(machines[app.name]);
      if (const auto& flycast = facts.addresses->at(app.name).flycast) out.flycast.push_back(*flycast);
    }
  }
  for (const project::AppSpec& app : *facts.apps) {
    if (app.is_fixture) continue;
    const AppAddresses& addresses = facts.addresses->at(app.name);
    world.public_hosts.push_back({app.name + ".fly.dev", addresses.public_ipv4, addresses.public_ipv6});
    for (const std::string& domain : app.domains) world.public_hosts.push_back({domain, addresses.public_ipv4, addresses.public_ipv6});
  }
  return world;
}

}  // namespace flylocal::sandbox
