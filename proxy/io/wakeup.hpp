#pragma once

#include <optional>

#include "proxy/io/poller.hpp"

namespace flylocal::proxy {

/// What a session's coroutine waits on: it goes on when one of the sockets or deadlines that have this as
/// their owner has news. News that comes while the coroutine does something else is kept. Being woken says
/// that conditions are worth another look, not which one changed.
class Wakeup final : public Turn {
 public:
  explicit Wakeup(Poller& poller) : poller_(poller) {}

  Task<> wait() {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](Handler handler) {
          waiting_.emplace(std::move(handler));
          if (std::exchange(pending_, false)) poller_.schedule(*this);
        },
        use_task);
  }

  /// Lets all others with news go first.
  Task<> yield() {
    poller_.schedule(*this);
    return wait();
  }

  void take_turn() override {
    if (!waiting_) {
      pending_ = true;
      return;
    }
    Handler handler = std::move(*waiting_);
    waiting_.reset();
    std::move(handler)();
  }

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;

  Poller& poller_;
  std::optional<Handler> waiting_;
  bool pending_ = false;
};

}  // namespace flylocal::proxy
