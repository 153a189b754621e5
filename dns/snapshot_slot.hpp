#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "dns/zone.hpp"

namespace flylocal::dns {

/// Hands snapshots from any thread to one reader. The reader takes the lock only after a publication; between
/// them a look costs one atomic load, and no reference count is shared. A query that is read after publish()
/// returned sees the new snapshot.
class SnapshotSlot {
 public:
  void publish(std::shared_ptr<const ZoneSnapshot> snapshot) {
    // What is replaced is let go by the parameter, after the lock.
    std::lock_guard lock(mutex_);
    published_.swap(snapshot);
    version_.fetch_add(1, std::memory_order_release);
  }

  /// Null before the first publication. On the reader's thread; valid until its next look.
  const ZoneSnapshot* current() {
    if (version_.load(std::memory_order_acquire) != seen_) {
      std::lock_guard lock(mutex_);
      current_ = published_;
      seen_ = version_.load(std::memory_order_relaxed);
    }
    return current_.get();
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const ZoneSnapshot> published_;
  std::atomic<std::uint64_t> version_{0};
  // The reader's own:
  std::shared_ptr<const ZoneSnapshot> current_;
  std::uint64_t seen_ = 0;
};

}  // namespace flylocal::dns
