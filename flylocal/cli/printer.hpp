#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace flylocal::cli {

/// Writes lines to stdout from a thread of its own, so that a slow or stopped reader never stops the sandbox.
/// What does not fit into kMaxQueuedBytes is dropped, and the number of lost lines is said in their place.
class Printer {
 public:
  static constexpr std::size_t kMaxQueuedBytes = 4 * 1024 * 1024;

  /// `on_reader_gone` is called once, on the printer's thread, when stdout has no reader any more (EPIPE).
  explicit Printer(std::function<void()> on_reader_gone);
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;
  /// Gives what is queued a second to be written; a reader that takes nothing keeps its lines.
  ~Printer();

  /// Queues `line` (without newline). From any thread.
  void print(std::string line);
  /// From now on a stdout without a reader is no reason to call anybody.
  void need_no_reader();
  /// Waits, a second at most, until all that was queued is written.
  void flush();

 private:
  /// Shared with the thread, which a blocked write may keep alive beyond this object.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> lines;
    std::size_t bytes = 0;
    std::size_t dropped = 0;
    bool writing = false;
    bool closing = false;
    bool finished = false;
    std::function<void()> on_reader_gone;
  };
  static void run(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace flylocal::cli
