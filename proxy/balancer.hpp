#pragma once

#include <memory>
#include <span>
#include <vector>

#include "proxy/request_id.hpp"
#include "proxy/routing.hpp"

namespace flylocal::proxy {

/// Which machines were already tried in vain, by their place in Service::upstreams.
using Tried = std::vector<bool>;

/// The machine with the least in progress among those not tried, any of them when several have the least
/// (platform.md 4.6). Null when all were tried. `tried` may be shorter than `upstreams`.
const Upstream* choose_least_loaded(std::span<const Upstream> upstreams, const Tried& tried,
                                    RandomBits& random);

/// Counts a request or connection as in progress on a machine for as long as it exists.
class LoadTicket {
 public:
  LoadTicket() = default;
  explicit LoadTicket(std::shared_ptr<UpstreamLoad> load) : load_(std::move(load)) {
    load_->current.fetch_add(1, std::memory_order_relaxed);
    load_->total.fetch_add(1, std::memory_order_relaxed);
  }
  LoadTicket(LoadTicket&&) noexcept = default;
  LoadTicket& operator=(LoadTicket&& other) noexcept {
    if (this != &other) {
      give_back();
      load_ = std::move(other.load_);
    }
    return *this;
  }
  ~LoadTicket() { give_back(); }

 private:
  void give_back() {
    if (load_) load_->current.fetch_sub(1, std::memory_order_relaxed);
    load_.reset();
  }
  std::shared_ptr<UpstreamLoad> load_;
};

}  // namespace flylocal::proxy
