#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "dns/zone.hpp"

namespace flylocal::dns {

/// Hands snapshots from any threads to one reader, without a lock. Between publications a look costs one atomic load. A
/// query that is read after publish() returned sees the new snapshot. The reader never frees one, as that can take
/// long: it hands the old one back, and the next publish() frees it.
class SnapshotSlot {
 public:
  SnapshotSlot() = default;
  SnapshotSlot(const SnapshotSlot&) = delete;
  SnapshotSlot& operator=(const SnapshotSlot&) = delete;
  ~SnapshotSlot() {
    delete published_.load();
    delete current_;
    free_returned();
  }

  /// `snapshot` may be null: nothing is known any more.
  void publish(std::shared_ptr<const ZoneSnapshot> snapshot) {
    // What comes back was never looked at.
    delete published_.exchange(new Node{std::move(snapshot), nullptr}, std::memory_order_acq_rel);
    free_returned();
  }

  /// Null before the first publication. On the reader's thread; valid until its next look.
  const ZoneSnapshot* current() {
    if (published_.load(std::memory_order_acquire)) take();
    return current_ ? current_->snapshot.get() : nullptr;
  }

 private:
  struct Node {
    std::shared_ptr<const ZoneSnapshot> snapshot;
    Node* next;
  };

  void take() {
    Node* taken = published_.exchange(nullptr, std::memory_order_acq_rel);
    Node* old = std::exchange(current_, taken);
    if (!old) return;
    // Only whole stacks are taken off, so no node can come back in between.
    old->next = returned_.load(std::memory_order_relaxed);
    while (!returned_.compare_exchange_weak(old->next, old, std::memory_order_release, std::memory_order_relaxed)) {
    }
  }

  void free_returned() {
    Node* node = returned_.exchange(nullptr, std::memory_order_acquire);
    while (node) delete std::exchange(node, node->next);
  }

  std::atomic<Node*> published_{nullptr};  // not seen by the reader yet
  std::atomic<Node*> returned_{nullptr};   // a stack of those that it needs no more
  Node* current_ = nullptr;                // the reader's own
};

}  // namespace flylocal::dns
