#pragma once

#include "proxy_world.hpp"

namespace flylocal::proxy::test {

/// An app that keeps each request until it may answer, and says how many it had at once.
class HoldingApp {
 public:
  /// `answer` empty: the request's path.
  FakeMachine::Script script(std::string answer = "hi") {
    return [this, answer](Wire& wire, int) {
      for (;;) {
        std::string head = wire.read_head();
        if (head.empty()) return;
        int now = ++in_progress_;
        for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
        }
        const std::string path = head.substr(4, head.find(' ', 4) - 4);
        arrivals_.add(path);
        eventually([&] { return open_ || released_ > served_; });
        ++served_;
        --in_progress_;
        if (!wire.write(ok(answer.empty() ? path : answer))) return;
      }
    };
  }
  void open() { open_ = true; }
  void release_one() { ++released_; }
  int most() const { return most_; }
  std::vector<std::string> arrivals() const { return arrivals_.all(); }

 private:
  std::atomic<bool> open_{false};
  std::atomic<int> released_{0};
  std::atomic<int> served_{0};
  std::atomic<int> in_progress_{0};
  std::atomic<int> most_{0};
  Notes arrivals_;
};

}  // namespace flylocal::proxy::test
