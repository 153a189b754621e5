#include "flylocal/base/async.hpp"

#include <boost/asio/impl/src.hpp>

namespace flylocal {

Task<> sleep_for(std::chrono::steady_clock::duration duration) {
  Timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(as_result);
}

}  // namespace flylocal
