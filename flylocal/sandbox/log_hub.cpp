#include "flylocal/sandbox/log_hub.hpp"

#include "flylocal/base/utf8.hpp"

namespace flylocal::sandbox {
namespace {

std::size_t cost(const LogLine& line) { return sizeof(LogLine) + line.text.size(); }

}  // namespace

void LogHub::append(LogLine line) {
  line.text = to_valid_utf8(line.text);
  if (listener_) listener_(line);
  bytes_ += cost(line);
  lines_.push_back(std::move(line));
  while (bytes_ > kMaxBytes) {
    bytes_ -= cost(lines_.front());
    lines_.pop_front();
    ++first_;
  }
  changed_.notify_all();
}

Task<> LogHub::wait_for(std::uint64_t number) {
  while (!closed_ && number >= end()) {
    co_await changed_.wait();
  }
}

void LogHub::close() {
  closed_ = true;
  changed_.notify_all();
}

void LineSplitter::feed(std::string_view bytes, const std::function<void(std::string)>& on_line) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    std::string_view part = bytes.substr(0, newline);
    const std::size_t room = LogHub::kMaxLineBytes - std::min(LogHub::kMaxLineBytes, partial_.size());
    // The CR of a CRLF is no part of the line, and must not make one that just fits too long.
    if (part.size() - (part.ends_with('\r') ? 1 : 0) > room) {
      partial_.append(part.substr(0, room));
      bytes.remove_prefix(room);
      on_line(std::exchange(partial_, {}));
      continue;
    }
    partial_.append(part);
    if (newline == std::string_view::npos) return;
    bytes.remove_prefix(newline + 1);
    if (partial_.ends_with('\r')) partial_.pop_back();
    on_line(std::exchange(partial_, {}));
  }
}

void LineSplitter::finish(const std::function<void(std::string)>& on_line) {
  if (!partial_.empty()) on_line(std::exchange(partial_, {}));
}

}  // namespace flylocal::sandbox
