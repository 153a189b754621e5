#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/request_id.hpp"
#include "proxy/routing.hpp"

/// Which machine takes a request (platform.md 4.6): a pure function of what is known, without memory.
namespace flylocal::proxy {

/// Which machines were already tried in vain, by their place in Service::upstreams.
using Tried = std::vector<bool>;

/// How much a machine has to do. Exact counts are not compared (platform.md 4.6).
enum class LoadClass : std::uint8_t {
  below_soft,
  soft_reached,  ///< used when no machine of its region is below
  hard_reached,  ///< gets nothing more
};

LoadClass load_class(std::uint32_t in_progress, const Concurrency& concurrency);

/// The distance of two regions of which the table does not know one: farther than all that it knows. Every
/// region is at distance 0 from itself, known or not.
inline constexpr std::uint32_t kUnknownDistance = 1'000'000;

/// In kilometres. `distances` may be null.
std::uint32_t region_distance(const RegionDistances* distances, std::string_view from, std::string_view to);

/// A machine, or why there is none.
struct Choice {
  enum class Reason : std::uint8_t {
    chosen,
    none_offered,   ///< the service has no started machine
    all_full,       ///< the healthy ones are at their hard limit
    all_unhealthy,  ///< their service checks fail
    all_cordoned,
    all_tried,
  };
  const Upstream* upstream = nullptr;  ///< null unless chosen
  /// Why there is none: what might soonest change comes first, so all_full when one is full and another
  /// one unhealthy.
  Reason reason = Reason::none_offered;
  LoadClass load = LoadClass::below_soft;  ///< of the one that was chosen
  /// Some healthy machine that is not cordoned is below its soft limit, wherever it is and tried or not.
  /// While there is one, no sleeping machine is woken (platform.md 4.9).
  bool any_below_soft = false;
};

/// Among the machines that are healthy, not cordoned, not tried and below their hard limit: those of the
/// region nearest to the edge, of them those below their soft limit, of them any. Regions at the same
/// distance count as one. `tried` may be shorter than the service's machines.
Choice choose_machine(const Service& service, const Tried& tried, std::string_view edge_region,
                      const RegionDistances* distances, RandomBits& random);

/// The nearest one, any of several; null when there is none.
const Sleeper* choose_sleeper(std::span<const Sleeper> sleepers, std::string_view edge_region,
                              const RegionDistances* distances, RandomBits& random);

/// For the request log: "fra, below its soft limit".
std::string describe(const Choice& choice);

}  // namespace flylocal::proxy
