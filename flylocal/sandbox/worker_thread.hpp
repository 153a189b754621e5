#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>

#include "flylocal/base/result.hpp"
#include "flylocal/base/run_to_end.hpp"

namespace flylocal::sandbox {

/// An io_context with a thread of its own, which may live in another network namespace than the rest.
class WorkerThread {
 public:
  /// Starts the thread (signals blocked: they are the main thread's), which runs `enter` first and then the
  /// io_context until the destructor. Error: what `enter` returned.
  static Result<std::unique_ptr<WorkerThread>> start(const std::string& name, std::function<Result<>()> enter);
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  /// Stops the io_context and joins. What is still queued is destroyed, not run.
  ~WorkerThread();

  Executor executor() { return context_.get_executor(); }

  /// Runs `work` on the thread and awaits what it returns, cancelled or not; the caller goes on where it was. For
  /// short blocking work.
  template <class Work>
  Task<std::invoke_result_t<Work&>> run(Work work) {
    std::optional<std::invoke_result_t<Work&>> result;
    auto call = [](Work& inner, auto& out) -> Task<> {
      out.emplace(inner());
      co_return;
    };
    co_await run_to_end(executor(), call(work, result));
    co_return std::move(*result);
  }

 private:
  WorkerThread() : keep_running_(asio::make_work_guard(context_)) {}
  asio::io_context context_{1};
  asio::executor_work_guard<Executor> keep_running_;
  std::thread thread_;
};

}  // namespace flylocal::sandbox
