#pragma once

#include <memory>
#include <unordered_map>

#include "dns/network_zone.hpp"
#include "dns/public_hosts.hpp"
#include "dns/world.hpp"

namespace flylocal::dns {

/// All that is answered from here, at one moment. Immutable, so that it is read without a lock; answers are encoded when
/// it is made, so that a query is two hash look-ups and a copy whatever the number of machines.
class ZoneSnapshot {
 public:
  /// Names that no query can spell (an empty label, or one over 63 octets) are left out. Parts that are the same in
  /// `previous` are shared with it, so that one machine's change costs the making of its app's part, and a comparison
  /// of the others.
  explicit ZoneSnapshot(World world, const ZoneSnapshot* previous = nullptr);

  /// Null for a network that the snapshot does not hold.
  const NetworkZone* find(NetworkId network) const;
  const PublicHosts& public_hosts() const { return *public_hosts_; }
  AnswerOrder order() const { return order_; }

 private:
  std::unordered_map<NetworkId, NetworkZone> networks_;
  std::shared_ptr<const PublicHosts> public_hosts_;
  AnswerOrder order_;
};

}  // namespace flylocal::dns
