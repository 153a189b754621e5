#include "proxy/balancer.hpp"

#include <fmt/format.h>

#include <tuple>

namespace flylocal::proxy {
namespace {

/// Looks up distances from one region. Machines of a region usually stand side by side, so the last answer is
/// kept.
class DistanceFrom {
 public:
  DistanceFrom(const RegionDistances* distances, std::string_view edge)
      : distances_(distances), edge_(edge), last_region_(edge) {}

  std::uint32_t operator()(std::string_view region) {
    if (region != last_region_) {
      last_region_ = region;
      last_ = region_distance(distances_, edge_, region);
    }
    return last_;
  }

 private:
  const RegionDistances* distances_;
  std::string_view edge_;
  std::string_view last_region_;
  std::uint32_t last_ = 0;
};

std::uint32_t in_progress(const Upstream& upstream) {
  return upstream.load->current.load(std::memory_order_relaxed);
}

}  // namespace

LoadClass load_class(std::uint32_t in_progress, const Concurrency& concurrency) {
  if (concurrency.hard_limit && in_progress >= *concurrency.hard_limit) return LoadClass::hard_reached;
  return in_progress >= concurrency.soft_limit ? LoadClass::soft_reached : LoadClass::below_soft;
}

std::uint32_t region_distance(const RegionDistances* distances, std::string_view from, std::string_view to) {
  if (from == to) return 0;
  if (!distances) return kUnknownDistance;
  auto row = distances->find(from);
  if (row == distances->end()) return kUnknownDistance;
  auto found = row->second.find(to);
  return found == row->second.end() ? kUnknownDistance : found->second;
}

Choice choose_machine(const Service& service, const Tried& tried, std::string_view edge_region,
                      const RegionDistances* distances, RandomBits& random) {
  Choice choice;
  DistanceFrom distance_to(distances, edge_region);
  bool full = false;
  bool unhealthy = false;
  bool cordoned = false;
  bool was_tried = false;
  std::uint32_t nearest = 0;
  std::uint64_t equals = 0;
  for (std::size_t i = 0; i < service.upstreams.size(); ++i) {
    const Upstream& upstream = service.upstreams[i];
    if (upstream.cordoned) {
      cordoned = true;
      continue;
    }
    if (!upstream.healthy) {
      unhealthy = true;
      continue;
    }
    LoadClass load = load_class(in_progress(upstream), service.concurrency);
    if (load == LoadClass::below_soft) choice.any_below_soft = true;
    if (i < tried.size() && tried[i]) {
      was_tried = true;
      continue;
    }
    if (load == LoadClass::hard_reached) {
      full = true;
      continue;
    }
    std::uint32_t distance = distance_to(upstream.region);
    auto rank = std::tie(distance, load);
    auto best = std::tie(nearest, choice.load);
    if (!choice.upstream || rank < best) {
      choice.upstream = &upstream;
      choice.load = load;
      nearest = distance;
      equals = 1;
    } else if (rank == best && random() % ++equals == 0) {
      // The n-th of the equals takes over with probability 1/n, which gives each the same chance.
      choice.upstream = &upstream;
    }
  }
  if (choice.upstream) {
    choice.reason = Choice::Reason::chosen;
  } else if (full) {
    choice.reason = Choice::Reason::all_full;
  } else if (unhealthy) {
    choice.reason = Choice::Reason::all_unhealthy;
  } else if (cordoned) {
    choice.reason = Choice::Reason::all_cordoned;
  } else if (was_tried) {
    choice.reason = Choice::Reason::all_tried;
  }
  return choice;
}

const Sleeper* choose_sleeper(std::span<const Sleeper> sleepers, std::string_view edge_region,
                              const RegionDistances* distances, RandomBits& random) {
  DistanceFrom distance_to(distances, edge_region);
  const Sleeper* chosen = nullptr;
  std::uint32_t nearest = 0;
  std::uint64_t equals = 0;
  for (const Sleeper& sleeper : sleepers) {
    std::uint32_t distance = distance_to(sleeper.region);
    if (!chosen || distance < nearest) {
      chosen = &sleeper;
      nearest = distance;
      equals = 1;
    } else if (distance == nearest && random() % ++equals == 0) {
      chosen = &sleeper;
    }
  }
  return chosen;
}

std::string describe(const Choice& choice) {
  switch (choice.reason) {
    case Choice::Reason::chosen:
      return fmt::format("{}, {} its soft limit", choice.upstream->region,
                         choice.load == LoadClass::below_soft ? "below" : "at or above");
    case Choice::Reason::none_offered:
      return "no machine is started";
    case Choice::Reason::all_full:
      return "every healthy machine is at its hard limit";
    case Choice::Reason::all_unhealthy:
      return "no machine passes its service checks";
    case Choice::Reason::all_cordoned:
      return "every machine is cordoned";
    default:
      return "every machine was tried";
  }
}

}  // namespace flylocal::proxy
