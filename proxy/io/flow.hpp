#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "proxy/io/kept_memory.hpp"

/// Theory of operation. Asio's awaitables run on any executor and can be cancelled at any wait, for which each call and
/// each wait pays with an allocation and some hundred instructions. A session needs neither: it lives on the poller's
/// thread, waits for its Wakeup only, and is ended by being woken. A Flow is the coroutine that is left then. The
/// Flows that call each other form a chain; the chain knows the innermost one, which is the one to go on. It never
/// goes on from inside of another's stack, so calls that never wait cannot use the stack up. What flylocal/base/async.hpp
/// says of GCC 12 goes for Flows, too.
namespace flylocal::proxy {

/// The Flows of one session, of which each waits for the one that it called.
class FlowChain {
 public:
  FlowChain(const FlowChain&) = delete;
  FlowChain& operator=(const FlowChain&) = delete;

  /// Runs until the next wait or the end. Afterwards the chain may be gone.
  void go_on() {
    waits_ = false;
    while (innermost_ && !waits_) innermost_.resume();
    if (!innermost_) on_end();
  }
  /// For what a Flow can wait for, and only from there; it sees to it that go_on() is called later.
  void wait() { waits_ = true; }

  /// For Flows: `innermost` goes on next; none: the first one has ended.
  void pass_to(std::coroutine_handle<> innermost) { innermost_ = innermost; }

 protected:
  FlowChain() = default;
  ~FlowChain() = default;
  virtual void on_end() = 0;

 private:
  std::coroutine_handle<> innermost_;
  bool waits_ = false;
};

namespace flow {

struct Ended {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
    ended.promise().chain->pass_to(ended.promise().caller);
  }
  void await_resume() const noexcept {}
};

struct Promise {
  static void* operator new(std::size_t size) { return kept_memory::take(size); }
  static void operator delete(void* frame, std::size_t size) { kept_memory::give_back(frame, size); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Ended final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void rethrow() const {
    if (failure) std::rethrow_exception(failure);
  }

  FlowChain* chain = nullptr;
  std::coroutine_handle<> caller;
  const Promise* outer = nullptr;  ///< the caller's
  std::exception_ptr failure;
};

}  // namespace flow

/// A coroutine of a session; begins when it is awaited, by another Flow or in a FlowGroup. An exception goes to
/// whoever awaits it.
template <class T = void>
class [[nodiscard]] Flow {
 public:
  struct promise_type : flow::Promise {
    Flow get_return_object() { return Flow(Handle::from_promise(*this)); }
    void return_value(T result) { value.emplace(std::move(result)); }
    T take() {
      rethrow();
      return std::move(*value);
    }
    std::optional<T> value;
  };
  using Handle = std::coroutine_handle<promise_type>;

  Flow(Flow&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Flow& operator=(Flow&&) = delete;
  ~Flow() {
    if (handle_) handle_.destroy();
  }

  struct Call {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
      FlowChain* const chain = caller.promise().chain;
      called.promise().caller = caller;
      called.promise().outer = &caller.promise();
      called.promise().chain = chain;
      chain->pass_to(called);
    }
    T await_resume() { return called.promise().take(); }
    Handle called;
  };
  Call operator co_await() && noexcept { return {handle_}; }

 private:
  friend class FlowGroup;
  explicit Flow(Handle handle) : handle_(handle) {}
  Handle handle_;
};

template <>
struct Flow<void>::promise_type : flow::Promise {
  Flow get_return_object() { return Flow(Handle::from_promise(*this)); }
  void return_void() const noexcept {}
  void take() const { rethrow(); }
};

}  // namespace flylocal::proxy
