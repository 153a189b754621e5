#pragma once

#include <list>
#include <string>

#include "flylocal/base/notifier.hpp"

namespace flylocal {

/// Owns the coroutines that run beside their maker: none is detached. A task that ends with an exception is
/// logged by its name, but for the one that unwinds it after cancel(). All members belong to the io_context's one thread.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor) : executor_(std::move(executor)), emptied_(executor_) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  /// No task may be running: cancel() and wait() come first.
  ~TaskGroup();

  /// Starts `task` at the executor's next turn.
  void spawn(std::string name, Task<> task);
  /// Cancels every task at its present wait.
  void cancel();
  /// Ends when no task runs; a cancellation of the caller does not shorten it, but takes effect afterwards.
  Task<> wait();
  std::size_t size() const { return running_.size(); }

 private:
  struct Running {
    std::string name;
    asio::cancellation_signal cancel;
  };
  Task<> wait_until_empty();
  Executor executor_;
  Notifier emptied_;
  bool cancelled_ = false;
  std::list<Running> running_;
};

}  // namespace flylocal
