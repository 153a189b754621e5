#include "dns/forwarder.hpp"

#include <algorithm>
#include <atomic>

#include "dns/upstream.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::dns {

struct Forwarder::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor on, std::vector<asio::ip::udp::endpoint> servers, ForwarderOptions given)
      : executor(on), upstreams(std::move(servers)), options(given), tasks(on) {}

  /// One query that was let in. Its asker hears of it exactly once, however its coroutine ends.
  class Admitted {
   public:
    Admitted(std::shared_ptr<Impl> impl, Done done) : impl_(std::move(impl)), done_(std::move(done)) {}
    Admitted(Admitted&&) noexcept = default;
    Admitted& operator=(Admitted&&) = delete;
    ~Admitted() {
      if (impl_) finish(std::nullopt);
    }
    void finish(Reply reply) {
      std::exchange(impl_, nullptr)->in_flight.fetch_sub(1, std::memory_order_relaxed);
      done_(std::move(reply));
    }

   private:
    std::shared_ptr<Impl> impl_;
    Done done_;
  };

  /// On the executor.
  void start(Query query, Admitted admitted) {
    if (stopping || upstreams.empty()) return admitted.finish(std::nullopt);
    tasks.spawn("forward a DNS query", run(shared_from_this(), std::move(query), std::move(admitted)));
  }

  static Task<> run(std::shared_ptr<Impl> self, Query query, Admitted admitted) {
    // Cancelled means stopping, which ask() looks at: an exception would add nothing.
    co_await asio::this_coro::throw_if_cancelled(false);
    admitted.finish(co_await self->ask(std::move(query)));
  }

  Task<Reply> ask(Query query) {
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + options.total_timeout;
    Reply unwilling_reply;
    std::vector<bool> unwilling(upstreams.size());
    std::size_t tries = upstreams.size() * static_cast<std::size_t>(options.rounds);
    std::size_t first = preferred;
    for (std::size_t i = 0; i < tries && !stopping; ++i) {
      std::size_t chosen = (first + i) % upstreams.size();
      if (unwilling[chosen]) continue;
      auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) break;
      auto answer = co_await ask_upstream(query, upstreams[chosen], std::min(left, options.try_timeout));
      if (answer.kind == UpstreamAnswer::Kind::usable) {
        // So that a dead upstream costs one query its time, and not every query.
        preferred = chosen;
        co_return std::move(answer.reply);
      }
      if (answer.kind == UpstreamAnswer::Kind::unwilling) {
        unwilling[chosen] = true;
        unwilling_reply = std::move(answer.reply);
      }
    }
    // An upstream's own SERVFAIL or REFUSED says more than a SERVFAIL of ours would.
    co_return unwilling_reply;
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
  Impl::Admitted admitted(impl_, std::move(done));
  asio::post(impl_->executor, [impl = impl_, query, admitted = std::move(admitted)]() mutable {
    impl->start(std::move(query), std::move(admitted));
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
