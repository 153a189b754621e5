#include "proxy/balancer.hpp"

namespace flylocal::proxy {

const Upstream* choose_least_loaded(std::span<const Upstream> upstreams, const Tried& tried,
                                    RandomBits& random) {
  const Upstream* chosen = nullptr;
  std::uint32_t least = 0;
  std::uint64_t equals = 0;
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    if (i < tried.size() && tried[i]) continue;
    std::uint32_t load = upstreams[i].load->current.load(std::memory_order_relaxed);
    if (!chosen || load < least) {
      chosen = &upstreams[i];
      least = load;
      equals = 1;
    } else if (load == least && random() % ++equals == 0) {
      // The n-th of the equals takes over with probability 1/n, which gives each the same chance.
      chosen = &upstreams[i];
    }
  }
  return chosen;
}

}  // namespace flylocal::proxy
