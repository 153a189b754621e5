#include "dns/zone.hpp"

#include <utility>

namespace flylocal::dns {

ZoneSnapshot::ZoneSnapshot(World world, const ZoneSnapshot* previous) : order_(world.order) {
  for (auto& network : world.networks) {
    const NetworkId id = network.id;
    networks_.try_emplace(id, std::move(network), world.nearest, world.reverse_names, previous ? previous->find(id) : nullptr);
  }
  const bool same_hosts = previous && previous->public_hosts_->hosts() == world.public_hosts;
  public_hosts_ = same_hosts ? previous->public_hosts_ : std::make_shared<const PublicHosts>(std::move(world.public_hosts));
}

const NetworkZone* ZoneSnapshot::find(NetworkId network) const {
  auto found = networks_.find(network);
  return found == networks_.end() ? nullptr : &found->second;
}

}  // namespace flylocal::dns
