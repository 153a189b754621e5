#include "dns/forwarder.hpp"

#include <algorithm>
#include <atomic>

#include "dns/upstream.hpp"
#include "flylocal/base/notifier.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::dns {

using Clock = std::chrono::steady_clock;

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

  /// One query on its way to one or more upstreams. Lives in the frame of the coroutine that leads it, which ends after all tries have.
  struct Race {
    Race(Executor executor, Query asked, std::size_t upstreams)
        : query(std::move(asked)), tries(executor), changed(executor), unwilling(upstreams) {}
    bool ended() const { return answered || running == 0; }

    const Query query;
    const Clock::time_point begin = Clock::now();
    TaskGroup tries;
    Notifier changed;         // a try has ended
    std::size_t running = 0;  // tries that have not ended
    bool failed = false;      // a try ended without an answer since the last one began
    bool answered = false;
    Reply reply;
    Reply unwilling_reply;
    std::vector<bool> unwilling;
  };

  static Task<> run(std::shared_ptr<Impl> self, Query query, Admitted admitted) {
    // Cancelled means stopping, which the loops look at: an exception would add nothing.
    co_await asio::this_coro::throw_if_cancelled(false);
    Race race(self->executor, std::move(query), self->upstreams.size());
    if (race.begin < self->dead_until) {
      co_await self->ask_dead(race, admitted);
    } else {
      co_await self->ask_in_turn(race, admitted);
    }
    race.tries.cancel();
    co_await race.tries.wait();
  }

  void start_try(Race& race, std::size_t upstream) {
    ++race.running;
    race.tries.spawn("ask a DNS upstream", run_try(race, upstream));
  }

  void note_life() {
    last_answer = Clock::now();
    dead_until = Clock::time_point::min();
  }

  Task<> run_try(Race& race, std::size_t upstream) {
    std::function<void()> heard = [this] { note_life(); };
    auto answer = co_await ask_upstream(race.query, upstreams[upstream], std::move(heard));
    --race.running;
    if (answer.kind != UpstreamAnswer::Kind::none) note_life();
    if (answer.kind == UpstreamAnswer::Kind::usable) {
      if (!race.answered) {
        // So that a dead upstream costs one query its time, and not every query.
        preferred = upstream;
        race.reply = std::move(answer.reply);
        race.answered = true;
      }
    } else {
      race.failed = true;
    }
    if (answer.kind == UpstreamAnswer::Kind::unwilling) {
      race.unwilling[upstream] = true;
      race.unwilling_reply = std::move(answer.reply);
    }
    race.changed.notify_all();
  }

  /// One upstream after the other, as long as there is hope of an answer.
  Task<> ask_in_turn(Race& race, Admitted& admitted) {
    const auto deadline = race.begin + options.total_timeout;
    const std::size_t tries = upstreams.size() * static_cast<std::size_t>(options.rounds);
    const std::size_t first = preferred;
    std::size_t tried = 0;
    auto next_try = race.begin;
    while (!stopping && !race.answered && Clock::now() < deadline) {
      // Who said SERVFAIL or REFUSED would say it again.
      while (tried < tries && race.unwilling[(first + tried) % upstreams.size()]) ++tried;
      const bool more = tried < tries;
      const bool waited = Clock::now() >= next_try;
      if (more && (race.running == 0 || race.failed || waited)) {
        race.failed = false;
        next_try = Clock::now() + options.try_timeout;
        start_try(race, (first + tried) % upstreams.size());
        ++tried;
        continue;
      }
      // When an upstream has said something, if no answer, the others get no more than their usual time.
      if (!more && (race.running == 0 || (race.unwilling_reply && waited))) break;
      co_await race.changed.wait_until(more || race.unwilling_reply ? std::min(next_try, deadline) : deadline);
    }
    finish(race, admitted);
  }

  /// All upstreams at once, for a short time.
  Task<> ask_dead(Race& race, Admitted& admitted) {
    for (std::size_t i = 0; i < upstreams.size(); ++i) start_try(race, i);
    const auto deadline = race.begin + options.dead_timeout;
    while (!stopping && !race.ended() && Clock::now() < deadline) co_await race.changed.wait_until(deadline);
    finish(race, admitted);
    // One query goes on listening, so that upstreams which are slower than dead_timeout are found to live.
    if (probing) co_return;
    probing = true;
    const auto probe_end = race.begin + options.total_timeout;
    while (!stopping && !race.ended() && Clock::now() < probe_end) co_await race.changed.wait_until(probe_end);
    probing = false;
  }

  /// Tells the asker what came of it.
  void finish(Race& race, Admitted& admitted) {
    const bool silent = !race.answered && !race.unwilling_reply && race.running > 0;
    if (silent && !stopping && last_answer < race.begin) dead_until = Clock::now() + options.dead_for;
    // An upstream's own SERVFAIL or REFUSED says more than a SERVFAIL of ours would.
    admitted.finish(std::move(race.answered ? race.reply : race.unwilling_reply));
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
  Clock::time_point last_answer = Clock::time_point::min();  // when any upstream answered anything
  Clock::time_point dead_until = Clock::time_point::min();
  bool probing = false;  // a query listens on after its asker was told that no upstream answers
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
