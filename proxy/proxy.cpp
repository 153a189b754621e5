#include "proxy/proxy.hpp"

#include <vector>

#include "flylocal/base/run_to_end.hpp"
#include "proxy/listener.hpp"

namespace flylocal::proxy {

struct Proxy::Core {
  Core(Executor executor, Options options)
      : edge(std::move(executor), std::move(options)) {
    edge.on_client_left = [this] {
      for (auto& listener : listeners) listener->resume();
    };
  }

  void enter(Edge::Phase phase) {
    edge.phase = phase;
    for (Session& session : edge.sessions) edge.poller->schedule(session.wakeup);
  }

  Edge edge;
  std::vector<std::unique_ptr<Listener>> listeners;
};

Proxy::Proxy(Executor executor, Options options)
    : core_(std::make_shared<Core>(std::move(executor), std::move(options))) {
  core_->edge.poller->start();
}

Proxy::~Proxy() {
  core_->edge.phase = Edge::Phase::breaking_off;
  core_->edge.poller->stop();
}

void Proxy::publish(std::shared_ptr<const RoutingSnapshot> snapshot) {
  core_->edge.publish(std::move(snapshot));
  asio::post(core_->edge.poller->executor(), [core = core_] { core->edge.adopt_published(); });
}

void Proxy::listen(ListenerId id, UniqueFd listening_socket) {
  asio::post(core_->edge.poller->executor(), [core = core_, id,
                                              socket = std::move(listening_socket)]() mutable {
    if (core->edge.phase != Edge::Phase::serving) return;
    core->listeners.push_back(std::make_unique<Listener>(core->edge, id, std::move(socket)));
  });
}

void Proxy::announce_leave(std::string machine_id) {
  asio::post(core_->edge.poller->executor(), [core = core_, id = std::move(machine_id)] {
    for (Session& session : core->edge.sessions) session.on_machine_leaves(id);
  });
}

Task<> Proxy::shutdown(std::chrono::milliseconds grace) {
  core_->listeners.clear();
  core_->edge.pool.clear();
  core_->enter(Edge::Phase::draining);
  Timer grace_ends(core_->edge.poller->executor(), grace);
  grace_ends.async_wait([core = core_](boost::system::error_code error) {
    if (!error) core->enter(Edge::Phase::breaking_off);
  });
  co_await core_->edge.flows.wait();
  grace_ends.cancel();
  core_->edge.poller->stop();
}

const Stats& Proxy::stats() const {
  return core_->edge.stats;
}

std::uint64_t Proxy::logged_end() const {
  return core_->edge.log.end();
}

Task<std::vector<LoggedRequest>> Proxy::logged_since(std::uint64_t number, std::size_t most) const {
  auto read = [](std::shared_ptr<const Core> core, std::uint64_t from,
                 std::size_t limit) -> Task<std::vector<LoggedRequest>> {
    co_return core->edge.log.since(from, limit);
  };
  co_return co_await run_to_end(core_->edge.poller->executor(), read(core_, number, most));
}

}  // namespace flylocal::proxy
