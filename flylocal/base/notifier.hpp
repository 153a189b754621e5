#pragma once

#include "flylocal/base/async.hpp"

namespace flylocal {

/// Wakes coroutines that wait for something to change: `while (!condition) co_await changed.wait();`.
/// Belongs to the io_context's one thread, so nothing changes between the test and the wait.
class Notifier {
 public:
  explicit Notifier(Executor executor) : never_(executor, Timer::time_point::max()) {}

  void notify_all() { never_.cancel(); }
  /// Ends at the next notify_all(), or when the coroutine is cancelled.
  Task<> wait();
  /// As wait(), but not beyond `deadline`.
  Task<> wait_until(std::chrono::steady_clock::time_point deadline);

 private:
  Timer never_;
};

}  // namespace flylocal
