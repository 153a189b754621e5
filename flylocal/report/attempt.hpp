#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "flylocal/base/notifier.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::report {

/// What became of something that is tried, perhaps several times. Shared with the task that tries it: who has no more
/// use for it lets it go, and the task ends into nothing.
template <class Outcome>
struct Attempt {
  std::optional<Outcome> outcome;  ///< of the last time
  bool running = false;
  std::chrono::steady_clock::time_point ended{};
};

template <class Outcome>
using AttemptPtr = std::shared_ptr<Attempt<Outcome>>;

/// Runs attempts as tasks of one group and tells when one has ended.
class AttemptRunner {
 public:
  AttemptRunner(TaskGroup& tasks, Notifier& ended) : tasks_(tasks), ended_(ended) {}

  /// Starts `make_task()` unless one runs, the last outcome `is_good`, or ended less than `pause` ago.
  template <class Outcome, class IsGood, class MakeTask>
  void keep_trying(AttemptPtr<Outcome>& attempt, const char* name, std::chrono::milliseconds pause, IsGood is_good, MakeTask make_task) {
    if (!attempt) attempt = std::make_shared<Attempt<Outcome>>();
    if (attempt->running) return;
    if (attempt->outcome && (is_good(*attempt->outcome) || std::chrono::steady_clock::now() - attempt->ended < pause)) return;
    attempt->running = true;
    tasks_.spawn(name, run<Outcome>(attempt, make_task(), ended_));
  }

 private:
  template <class Outcome>
  static Task<> run(AttemptPtr<Outcome> attempt, Task<Outcome> task, Notifier& ended) {
    attempt->outcome = co_await std::move(task);
    attempt->running = false;
    attempt->ended = std::chrono::steady_clock::now();
    ended.notify_all();
  }
  TaskGroup& tasks_;
  Notifier& ended_;
};

}  // namespace flylocal::report
