#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "dns/message.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

struct ForwarderOptions {
  /// How long one upstream may take before the next is asked as well.
  std::chrono::milliseconds try_timeout{1200};
  /// How long a query may take in all. Below the 5 s after which stub resolvers ask again (resolv.conf(5)).
  std::chrono::milliseconds total_timeout{4500};
  /// How often the list of upstreams is gone through.
  int rounds = 2;
  /// Queries in flight, each with a socket per try. More are refused at once.
  std::size_t max_in_flight = 256;
  /// How long a query may take while the upstreams are known as dead. Several times what a resolver nearby takes, and little
  /// enough for a program that makes a handful of queries in a row without a network.
  std::chrono::milliseconds dead_timeout{300};
  /// For how long upstreams that were all silent to a query are known as dead. Every further silence begins it anew, so a program
  /// that goes on asking never hangs; one that asks less often waits total_timeout once in so long.
  std::chrono::milliseconds dead_for{30'000};
};

/// Asks upstream resolvers what is not ours to answer: over UDP with a random id from a random port, the next
/// upstream after a time-out or a failure, over TCP after a truncated answer. An upstream that is slow is still
/// listened to while the next is asked: the first answer wins.
///
/// When all upstreams were silent to a query, and to every other in the meantime, they are known as dead: a query then asks all
/// of them at once and waits for dead_timeout only. Any answer ends that, even one that comes too late for its asker. Upstreams that
/// can be seen to be out of reach (no route, a closed port) cost no time in either case.
///
/// The sockets belong to the network namespace of the thread that runs the executor (socket(2) takes the
/// calling thread's), so that is to be a thread in the host's namespace.
class Forwarder {
 public:
  /// The answer of an upstream, which matches the question; empty when none gave one.
  using Reply = std::optional<std::vector<std::uint8_t>>;
  /// Called exactly once, on the thread of the forwarder's executor.
  using Done = std::function<void(Reply)>;

  Forwarder(Executor executor, std::vector<asio::ip::udp::endpoint> upstreams, ForwarderOptions options = {});
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;
  /// shutdown() has to be awaited first.
  ~Forwarder();

  /// Asks the upstreams; from any thread. False, and `done` is not called, when max_in_flight queries are out
  /// or after shutdown().
  [[nodiscard]] bool try_ask(const Query& query, Done done);

  /// Ends all queries, with an empty reply. On the forwarder's executor.
  Task<> shutdown();

 private:
  struct Impl;  // shared with the coroutines and with what is posted to the executor
  std::shared_ptr<Impl> impl_;
};

}  // namespace flylocal::dns
