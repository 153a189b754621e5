#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "flylocal/base/notifier.hpp"

namespace flylocal::sandbox {

/// A line of a machine's output, or of flylocal about that machine.
struct LogLine {
  enum class Source { kApp, kRunner } source;  ///< "runner": flylocal itself, as the platform's log says
  std::chrono::system_clock::time_point at;
  std::string app;
  std::string machine;
  std::string region;
  std::string text;
};

/// All log lines of a sandbox, newest kept: a ring of kMaxBytes, so that a machine that writes without end
/// costs a bounded amount of memory. Belongs to the main thread.
class LogHub {
 public:
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
  /// Longer lines are cut into several.
  static constexpr std::size_t kMaxLineBytes = 16 * 1024;

  using Listener = std::function<void(const LogLine&)>;

  explicit LogHub(Executor executor) : changed_(executor) {}

  void append(LogLine line);
  /// Called for every further line, at once; must not block.
  void set_listener(Listener listener) { listener_ = std::move(listener); }

  /// The number that the next line gets.
  std::uint64_t end() const { return first_ + lines_.size(); }
  std::uint64_t begin() const { return first_; }
  /// A line that is still kept: begin() <= number < end().
  const LogLine& at(std::uint64_t number) const { return lines_[number - first_]; }
  /// Waits until there is a line `number` or a later one.
  Task<> wait_for(std::uint64_t number);
  /// Ends all waits for good.
  void close();
  bool is_closed() const { return closed_; }

 private:
  std::deque<LogLine> lines_;
  std::uint64_t first_ = 0;
  std::size_t bytes_ = 0;
  Listener listener_;
  Notifier changed_;
  bool closed_ = false;
};

/// Cuts a stream of bytes into lines.
class LineSplitter {
 public:
  /// Calls `on_line` for every line that is complete (without its end, "\r\n" or "\n"), or too long.
  void feed(std::string_view bytes, const std::function<void(std::string)>& on_line);
  /// The rest, if the stream ended without a newline.
  void finish(const std::function<void(std::string)>& on_line);

 private:
  std::string partial_;
};

}  // namespace flylocal::sandbox
