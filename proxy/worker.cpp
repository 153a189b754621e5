#include "proxy/worker.hpp"

#include "proxy/welcome.hpp"

namespace flylocal::proxy {

RoutingWatch::RoutingWatch(Worker& worker, Turn& turn) : turn_(turn) {
  worker.watches.push_back(*this);
}

Worker::Worker(Executor executor, std::shared_ptr<Edge> shared)
    : edge(std::move(shared)),
      options(edge->options),
      poller(std::make_shared<Poller>(executor)),
      pool(options.upstream_idle_limit, stats.upstream_idle),
      bell([this] {
        post([this] {
          Dispatch::Held held = edge->dispatch.hold();
          bell.answer(*poller);
        });
      }) {}

void Worker::take(UniqueFd socket, Arrival arrival) {
  if (phase == Phase::serving) {
    flows.start(welcome(*this, std::move(arrival), std::move(socket)));
  } else {
    leave();
  }
}

void Worker::leave() {
  clients.fetch_sub(1, std::memory_order_relaxed);
  const bool was_full = edge->clients_now.fetch_sub(1, std::memory_order_relaxed) >= options.max_clients;
  if (was_full) edge->on_client_left();
}

void Worker::adopt_newest() {
  std::shared_ptr<const RoutingSnapshot> newest;
  {
    Dispatch::Held held = edge->dispatch.hold();
    newest = held.newest();
    version_ = held.version();
  }
  // With a count of references of its own: the common one would go from cache to cache with each request.
  const RoutingSnapshot* const raw = newest.get();
  snapshot = std::shared_ptr<const RoutingSnapshot>(raw, [keep = std::move(newest)](const RoutingSnapshot*) {});
  pool.keep_only(*snapshot);
  for (RoutingWatch& watch : watches) poller->schedule(watch.turn_);
}

Dispatch::Held Worker::hold_dispatch() {
  for (;;) {
    adopt();
    Dispatch::Held held = edge->dispatch.hold();
    if (held.version() == version_) return held;
  }
}

void Worker::enter(Phase next) {
  phase = next;
  pool.clear();
  for (Session& session : sessions) poller->schedule(session.wakeup);
}

Task<> Worker::drain() {
  co_await flows.wait();
  poller->stop();
}

}  // namespace flylocal::proxy
