#pragma once

#include <array>

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
      const flow::Promise* frame = &flow.promise();
      for (const flow::Promise*& one : wakeup.frames_) {
        one = frame;
        if (frame->outer) frame = frame->outer;
      }
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

  void expect() const override {
    // This stands near the beginning of a session. Where that is smaller, nothing happens: a prefetch reads nothing.
    constexpr std::ptrdiff_t kBefore = 64, kBehind = 1280;
    const char* const here = reinterpret_cast<const char*>(this);
    for (std::ptrdiff_t at = -kBefore; at < kBehind; at += kCacheLine) __builtin_prefetch(here + at, 1);
    __builtin_prefetch(waiting_, 1);
    for (const flow::Promise* frame : frames_) {
      __builtin_prefetch(frame, 1);
      __builtin_prefetch(reinterpret_cast<const char*>(frame) + kCacheLine, 1);
    }
  }

  void take_turn() override {
    if (FlowChain* const chain = std::exchange(waiting_, nullptr)) {
      chain->go_on();
    } else {
      pending_ = true;
    }
  }

 private:
  static constexpr std::ptrdiff_t kCacheLine = 64;
  Poller& poller_;
  FlowChain* waiting_ = nullptr;
  /// The innermost Flows when it began to wait. Only to be fetched: they may be gone.
  std::array<const flow::Promise*, 3> frames_{};
  bool pending_ = false;
};

}  // namespace flylocal::proxy
