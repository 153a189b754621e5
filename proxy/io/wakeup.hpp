#pragma once

#include "proxy/io/flow.hpp"
#include "proxy/io/poller.hpp"

namespace flylocal::proxy {

/// What a session's Flow waits on: it goes on when one of the sockets or deadlines that have this as
/// their owner has news. News that comes while the Flow does something else is kept. Being woken says
/// that conditions are worth another look, not which one changed.
class Wakeup final : public Turn {
 public:
  explicit Wakeup(Poller& poller) : poller_(poller) {}

  struct Wait {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> flow) const {
      FlowChain* const chain = flow.promise().chain;
      chain->wait();
      wakeup.waiting_ = chain;
      if (std::exchange(wakeup.pending_, false)) wakeup.poller_.schedule(wakeup);
    }
    void await_resume() const noexcept {}
    Wakeup& wakeup;
  };
  [[nodiscard]] Wait wait() { return {*this}; }

  /// Lets all others with news go first.
  [[nodiscard]] Wait yield() {
    poller_.schedule(*this);
    return wait();
  }

  void take_turn() override {
    if (FlowChain* const chain = std::exchange(waiting_, nullptr)) {
      chain->go_on();
    } else {
      pending_ = true;
    }
  }

 private:
  Poller& poller_;
  FlowChain* waiting_ = nullptr;
  bool pending_ = false;
};

}  // namespace flylocal::proxy
