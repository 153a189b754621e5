#include "flylocal/cli/printer.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace flylocal::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kFarewell = 1s;

/// Writes all of `text`; false when the reader is gone.
bool write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd wait{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return errno != EPIPE;
    }
  }
  return true;
}

}  // namespace

Printer::Printer(std::function<void()> on_reader_gone) : state_(std::make_shared<State>()) {
  state_->on_reader_gone = std::move(on_reader_gone);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([state = state_] { run(state); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Printer::~Printer() {
  std::unique_lock lock(state_->mutex);
  state_->closing = true;
  state_->changed.notify_all();
  const bool finished = state_->changed.wait_for(lock, kFarewell, [&] { return state_->finished; });
  lock.unlock();
  // A thread that hangs in write(2) on a reader that takes nothing cannot be joined; it ends with the process.
  if (finished) thread_.join();
  else thread_.detach();
}

void Printer::print(std::string line) {
  std::lock_guard lock(state_->mutex);
  if (state_->closing || state_->finished) return;
  if (state_->bytes + line.size() > kMaxQueuedBytes) {
    ++state_->dropped;
    return;
  }
  state_->bytes += line.size() + 1;
  state_->lines.push_back(std::move(line));
  state_->changed.notify_all();
}

void Printer::need_no_reader() {
  std::lock_guard lock(state_->mutex);
  state_->on_reader_gone = {};
}

void Printer::flush() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, kFarewell, [&] { return state_->finished || (state_->lines.empty() && !state_->writing); });
}

void Printer::run(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->changed.wait(lock, [&] { return !state->lines.empty() || state->closing; });
    if (state->lines.empty()) break;
    std::string batch;
    while (!state->lines.empty() && batch.size() < 64 * 1024) {
      batch += state->lines.front() + "\n";
      state->bytes -= state->lines.front().size() + 1;
      state->lines.pop_front();
    }
    if (state->lines.empty() && state->dropped > 0) batch += fmt::format("... {} lines were dropped: the output is not read fast enough\n", std::exchange(state->dropped, 0));
    state->writing = true;
    lock.unlock();
    const bool read = write_all(batch);
    lock.lock();
    state->writing = false;
    state->changed.notify_all();
    if (!read) {
      if (state->on_reader_gone && !state->closing) state->on_reader_gone();
      break;
    }
  }
  state->finished = true;
  state->changed.notify_all();
}

}  // namespace flylocal::cli
