#include "dns/forwarder.hpp"

#include <algorithm>
#include <atomic>

#include "dns/upstream.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::dns {

struct Forwarder::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor on, std::vector<asio::ip::udp::endpoint> servers, ForwarderOptions given)
      : executor(on), upstreams(std::move(servers)), options(given), tasks(on) {}

  /// On the executor: the query's way from acceptance to `done`.
  void start(Query query, Done done) {
    if (stopping || upstreams.empty()) return finish(done, std::nullopt);
    tasks.spawn("forward a DNS query", run(shared_from_this(), std::move(query), std::move(done)));
  }

  void finish(const Done& done, Reply reply) {
    in_flight.fetch_sub(1, std::memory_order_relaxed);
    done(std::move(reply));
  }

  static Task<> run(std::shared_ptr<Impl> self, Query query, Done done) {
    auto reply = co_await self->ask(std::move(query));
    self->finish(done, std::move(reply));
  }

  Task<Reply> ask(Query query) {
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + options.total_timeout;
    Reply unwilling;
    std::size_t tries = upstreams.size() * static_cast<std::size_t>(options.rounds);
    std::size_t first = preferred;
    for (std::size_t i = 0; i < tries && !stopping; ++i) {
      auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) break;
      std::size_t chosen = (first + i) % upstreams.size();
      auto answer = co_await ask_upstream(query, upstreams[chosen], std::min(left, options.try_timeout));
      if (answer.kind == UpstreamAnswer::Kind::usable) {
        // So that a dead upstream costs one query its time, and not every query.
        preferred = chosen;
        co_return std::move(answer.reply);
      }
      if (answer.kind == UpstreamAnswer::Kind::unwilling) unwilling = std::move(answer.reply);
    }
    // All the same: SERVFAIL from upstream says more than ours would (RFC 8914).
    co_return unwilling;
  }

  Executor executor;
  const std::vector<asio::ip::udp::endpoint> upstreams;
  const ForwarderOptions options;
  std::atomic<std::size_t> in_flight{0};
  std::atomic<bool> closed{false};

  // Of the executor's thread alone:
  TaskGroup tasks;
  bool stopping = false;
  std::size_t preferred = 0;
};

Forwarder::Forwarder(Executor executor, std::vector<asio::ip::udp::endpoint> upstreams,
                     ForwarderOptions options)
    : impl_(std::make_shared<Impl>(executor, std::move(upstreams), options)) {}

Forwarder::~Forwarder() = default;

bool Forwarder::try_ask(const Query& query, Done done) {
  auto& in_flight = impl_->in_flight;
  if (impl_->closed.load(std::memory_order_relaxed)) return false;
  if (in_flight.fetch_add(1, std::memory_order_relaxed) >= impl_->options.max_in_flight) {
    in_flight.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  asio::post(impl_->executor, [impl = impl_, query, done = std::move(done)]() mutable {
    impl->start(std::move(query), std::move(done));
  });
  return true;
}

Task<> Forwarder::shutdown() {
  // The frame keeps what it works on: the Forwarder itself may go once the last task has ended.
  auto impl = impl_;
  impl->closed.store(true, std::memory_order_relaxed);
  impl->stopping = true;
  impl->tasks.cancel();
  co_await impl->tasks.wait();
}

}  // namespace flylocal::dns
