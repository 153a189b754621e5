#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace flylocal::proxy {

/// A number that one thread changes, or whoever holds a lock, and any reads: to count costs no more than for a plain one.
class Counter {
 public:
  void add(std::uint64_t more) {
    value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t less) { add(-less); }
  operator std::uint64_t() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline void count(Counter& counter) { counter.add(1); }

/// What a proxy, or a part of it, has done since it began.
template <class Number>
struct BasicStats {
  Number clients{};                 ///< connections accepted
  Number tls_handshakes{};          ///< that were completed
  Number tls_resumed{};             ///< of them, those of a session that was known
  Number tls_failures{};            ///< handshakes that failed or took too long
  Number requests{};                ///< heads that were understood
  Number bad_requests{};            ///< heads or bodies that were refused as malformed
  Number aborted{};                 ///< requests whose client went away before the answer's end
  std::array<Number, 6> answers{};  ///< by the status's first digit; [0] stays 0
  Number upstream_connects{};       ///< connections made to machines
  Number upstream_reuses{};         ///< requests that took a pooled connection
  Number upstream_failures{};       ///< connects that failed, and exchanges that a machine broke
  Number upstream_idle{};           ///< connections in the pool
  Number retries{};                 ///< attempts beyond a request's first
  Number queued{};                  ///< requests that waited because no machine could take them at once
  Number waiting_now{};             ///< requests that wait for a machine, be it in a queue or for one to be woken
  Number queue_refusals{};          ///< requests that the full queue did not take, or that waited in vain
  Number wakes{};                   ///< machines asked to start for a request
  Number wake_failures{};           ///< of them, those that did not come
};

/// As they are counted, by each part for itself. Of the numbers that go down again only the sum means something.
using Counters = BasicStats<Counter>;

/// As they are read.
struct Stats : BasicStats<std::uint64_t> {
  std::uint64_t clients_now = 0;  ///< connections accepted and still open
};

/// Adds a part's numbers.
void add(Stats& total, const Counters& part);

}  // namespace flylocal::proxy
