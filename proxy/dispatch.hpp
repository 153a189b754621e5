#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "proxy/waiting_room.hpp"
#include "proxy/wakes.hpp"

namespace flylocal::proxy {

/// Theory of operation. What all workers of a proxy decide together: which machine takes a request, who waits for one in
/// which order, and which machine is woken. Whoever decides holds the dispatch, for about a microsecond and never across
/// a wait: once when a request gets its machine and once when it gives it back. So a hard limit holds and requests have
/// one line, however many workers there are. The newest routing belongs to it as well: once publish() has
/// returned, every decision is made by the new one, and those made before are in the machines' counts.
class Dispatch {
 public:
  class Held;

  Dispatch() = default;
  Dispatch(const Dispatch&) = delete;
  Dispatch& operator=(const Dispatch&) = delete;

  /// Waits until nobody else holds it.
  Held hold();
  /// Of the routing that was published last; the first one is 1. From any thread, held or not.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  /// From any thread.
  const Counters& counters() const { return counters_; }

 private:
  std::mutex mutex_;
  std::atomic<std::uint64_t> version_{0};
  std::shared_ptr<const RoutingSnapshot> newest_ = std::make_shared<const RoutingSnapshot>();
  Counters counters_;
  WaitingRoom waiting_room_;
  Wakes wakes_{counters_};
};

/// The dispatch, for as long as this exists.
class Dispatch::Held {
 public:
  WaitingRoom& waiting_room() { return dispatch_->waiting_room_; }
  Wakes& wakes() { return dispatch_->wakes_; }
  std::uint64_t version() const { return dispatch_->version(); }
  const std::shared_ptr<const RoutingSnapshot>& newest() const { return dispatch_->newest_; }
  /// `snapshot` becomes the newest one, and is the one before afterwards: to be dropped when the dispatch is not held.
  void publish(std::shared_ptr<const RoutingSnapshot>& snapshot) {
    dispatch_->newest_.swap(snapshot);
    dispatch_->version_.fetch_add(1, std::memory_order_release);
    dispatch_->wakes_.on_snapshot(*dispatch_->newest_);
    dispatch_->waiting_room_.on_snapshot(*dispatch_->newest_);
  }

 private:
  friend class Dispatch;
  explicit Held(Dispatch& dispatch) : dispatch_(&dispatch), lock_(dispatch.mutex_) {}

  Dispatch* dispatch_;
  std::unique_lock<std::mutex> lock_;
};

inline Dispatch::Held Dispatch::hold() { return Held(*this); }

/// Counts a request or connection as in progress on a machine for as long as it exists. Belongs to one thread, which must
/// not hold the dispatch when it gives the ticket back.
class LoadTicket {
 public:
  LoadTicket() = default;
  /// To be made while the dispatch is held, so that the machine's limit is still the one that was looked at.
  LoadTicket(std::shared_ptr<UpstreamLoad> load, Dispatch& dispatch) : load_(std::move(load)), dispatch_(&dispatch) {
    load_->current.fetch_add(1, std::memory_order_relaxed);
    load_->total.fetch_add(1, std::memory_order_relaxed);
  }
  LoadTicket(LoadTicket&&) noexcept = default;
  LoadTicket& operator=(LoadTicket&& other) noexcept {
    if (this != &other) {
      give_back();
      load_ = std::move(other.load_);
      dispatch_ = other.dispatch_;
    }
    return *this;
  }
  ~LoadTicket() { give_back(); }

 private:
  void give_back() {
    if (!load_) return;
    {
      Dispatch::Held held = dispatch_->hold();
      load_->current.fetch_sub(1, std::memory_order_relaxed);
      if (!held.waiting_room().empty()) held.waiting_room().on_room(*load_);
    }
    load_.reset();
  }
  std::shared_ptr<UpstreamLoad> load_;
  Dispatch* dispatch_ = nullptr;
};

}  // namespace flylocal::proxy
