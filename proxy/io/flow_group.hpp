#pragma once

#include <list>

#include "flylocal/base/notifier.hpp"
#include "proxy/io/flow.hpp"
#include "proxy/io/poller.hpp"

namespace flylocal::proxy {

/// Owns the Flows that nobody awaits: one for each client, and for each stream of HTTP/2. An exception that ends one
/// is logged. All members belong to the poller's thread.
class FlowGroup {
 public:
  explicit FlowGroup(Poller& poller);
  FlowGroup(const FlowGroup&) = delete;
  FlowGroup& operator=(const FlowGroup&) = delete;
  /// Flows that still wait are destroyed where they do.
  ~FlowGroup();

  /// `flow` begins in the poller's next round.
  void start(Flow<> flow);
  /// Ends when no Flow runs; a cancellation of the caller does not shorten it, but takes effect afterwards.
  Task<> wait();
  std::size_t size() const { return running_.size(); }

 private:
  class Running;
  Task<> wait_until_empty();

  Poller& poller_;
  Notifier emptied_;
  std::list<Running> running_;
};

}  // namespace flylocal::proxy
