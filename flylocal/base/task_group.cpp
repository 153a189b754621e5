#include "flylocal/base/task_group.hpp"

#include <spdlog/spdlog.h>

#include <cassert>
#include <exception>
#include <vector>

#include "flylocal/base/run_to_end.hpp"

namespace flylocal {

TaskGroup::~TaskGroup() { assert(running_.empty() && "cancel() and wait() before destroying a TaskGroup"); }

void TaskGroup::spawn(std::string name, Task<> task) {
  auto running = running_.emplace(running_.end());
  running->name = std::move(name);
  auto ended = [this, running](std::exception_ptr failure) {
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const boost::system::system_error& error) {
        if (!cancelled_ || error.code() != asio::error::operation_aborted) spdlog::error("{}: {}", running->name, error.what());
      } catch (const std::exception& error) {
        spdlog::error("{}: {}", running->name, error.what());
      }
    }
    running_.erase(running);
    if (running_.empty()) emptied_.notify_all();
  };
  asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(running->cancel.slot(), std::move(ended)));
}

void TaskGroup::cancel() {
  cancelled_ = true;
  // Emitting may end a task at once and take it out of the list, so the list is walked by position.
  for (auto it = running_.begin(); it != running_.end();) {
    auto current = it++;
    current->cancel.emit(asio::cancellation_type::terminal);
  }
}

Task<> TaskGroup::wait() {
  // The tasks use what the caller's frames hold.
  co_await run_to_end(executor_, wait_until_empty());
}

Task<> TaskGroup::wait_until_empty() {
  while (!running_.empty()) co_await emptied_.wait();
}

}  // namespace flylocal
