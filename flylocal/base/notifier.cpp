#include "flylocal/base/notifier.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace flylocal {

Task<> Notifier::wait() { co_await never_.async_wait(as_result); }

Task<> Notifier::wait_until(std::chrono::steady_clock::time_point deadline) {
  using namespace asio::experimental::awaitable_operators;
  Timer timer(co_await asio::this_coro::executor, deadline);
  co_await (never_.async_wait(as_result) || timer.async_wait(as_result));
}

}  // namespace flylocal
