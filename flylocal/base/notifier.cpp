#include "flylocal/base/notifier.hpp"

namespace flylocal {

void Notifier::notify_all() {
  for (Waiter& waiter : waiters_) waiter.timer.cancel();
}

Task<> Notifier::wait() { co_await wait_until(Timer::time_point::max()); }

Task<> Notifier::wait_until(std::chrono::steady_clock::time_point deadline) {
  // One timer that is cancelled early: two waits raced against each other cost several times as much.
  Waiter waiter(Timer(executor_, deadline));
  waiters_.push_back(waiter);
  co_await waiter.timer.async_wait(as_result);
}

}  // namespace flylocal
