#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>

#include "flylocal/base/async.hpp"

namespace flylocal {

/// Wakes coroutines that wait for something to change: `while (!condition) co_await changed.wait();`.
/// Belongs to the io_context's one thread, so nothing changes between the test and the wait.
class Notifier {
 public:
  explicit Notifier(Executor executor) : executor_(executor) {}

  void notify_all();
  /// Ends at the next notify_all(), or when the coroutine is cancelled.
  Task<> wait();
  /// As wait(), but not beyond `deadline`.
  Task<> wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  // Lives in the frame that waits, and may outlive the Notifier when an io_context is torn down with waits in it.
  struct Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    explicit Waiter(Timer deadline) : timer(std::move(deadline)) {}
    Timer timer;
  };

  Executor executor_;
  boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> waiters_;
};

}  // namespace flylocal
