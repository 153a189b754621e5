#include "proxy/proxy.hpp"

#include <vector>

#include "flylocal/base/run_to_end.hpp"
#include "proxy/listener.hpp"

namespace flylocal::proxy {

struct Proxy::Core : std::enable_shared_from_this<Core> {
  Core(const std::vector<Executor>& executors, Options options) : edge(std::make_shared<Edge>(std::move(options))) {
    for (const Executor& executor : executors) workers.push_back(std::make_shared<Worker>(executor, edge));
  }

  void start() {
    edge->on_client_left = [weak = weak_from_this()] {
      if (auto core = weak.lock()) core->first().post([core] { core->resume(); });
    };
    for (auto& worker : workers) worker->poller->start();
  }

  Worker& first() { return *workers.front(); }
  void resume() {
    for (auto& listener : listeners) listener->resume();
  }
  /// On the first worker's thread.
  void enter(Worker::Phase phase) {
    first().enter(phase);
    for (auto& worker : workers) {
      if (worker != workers.front()) worker->post([one = worker.get(), phase] { one->enter(phase); });
    }
  }

  const std::shared_ptr<Edge> edge;
  Workers workers;
  std::vector<std::unique_ptr<Listener>> listeners;  // the first worker's
};

Proxy::Proxy(const std::vector<Executor>& workers, Options options)
    : core_(std::make_shared<Core>(workers, std::move(options))) {
  core_->start();
}

Proxy::~Proxy() = default;

void Proxy::publish(std::shared_ptr<const RoutingSnapshot> snapshot) {
  core_->edge->dispatch.hold().publish(snapshot);
  for (auto& worker : core_->workers) worker->post([one = worker.get()] { one->adopt(); });
}

void Proxy::listen(ListenerId id, UniqueFd listening_socket) {
  core_->first().post([core = core_, id, socket = std::move(listening_socket)]() mutable {
    if (core->first().phase != Worker::Phase::serving) return;
    core->listeners.push_back(std::make_unique<Listener>(core->workers, id, std::move(socket)));
  });
}

void Proxy::announce_leave(std::string machine_id) {
  for (auto& worker : core_->workers) {
    worker->post([one = worker.get(), machine_id] {
      for (Session& session : one->sessions) session.on_machine_leaves(machine_id);
    });
  }
}

Task<> Proxy::shutdown(std::chrono::milliseconds grace) {
  // What was handed over before this comes to its worker before the change of phase.
  core_->listeners.clear();
  core_->enter(Worker::Phase::draining);
  Timer grace_ends(core_->first().poller->executor(), grace);
  grace_ends.async_wait([core = core_](boost::system::error_code error) {
    if (!error) core->enter(Worker::Phase::breaking_off);
  });
  for (auto& worker : core_->workers) co_await run_to_end(worker->poller->executor(), worker->drain());
  grace_ends.cancel();
}

Stats Proxy::stats() const {
  Stats total;
  add(total, core_->edge->dispatch.counters());
  for (const auto& worker : core_->workers) add(total, worker->stats);
  total.clients_now = core_->edge->clients_now.load(std::memory_order_relaxed);
  return total;
}

std::uint64_t Proxy::logged_end() const {
  return core_->edge->log.end();
}

std::vector<LoggedRequest> Proxy::logged_since(std::uint64_t number, std::size_t most) const {
  return core_->edge->log.since(number, most);
}

}  // namespace flylocal::proxy
