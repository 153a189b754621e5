#pragma once

#include "flylocal/base/async.hpp"

namespace flylocal {

/// Runs `task` on `executor`, which may be another thread's, and awaits its end and value. A cancellation of the caller
/// does not reach the task and takes effect afterwards, for two reasons: the task may use what the caller's frames
/// hold, and co_spawn would hand the cancellation to the other thread by a pointer that is gone when the task ends meanwhile.
template <class T>
Task<T> run_to_end(Executor executor, Task<T> task) {
  co_return co_await asio::co_spawn(executor, std::move(task), asio::bind_cancellation_slot(asio::cancellation_slot(), use_task));
}

}  // namespace flylocal
