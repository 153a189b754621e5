#include "proxy/proxy.hpp"

#include <spdlog/spdlog.h>

#include <vector>

#include "flylocal/base/task_group.hpp"
#include "proxy/listener.hpp"

namespace flylocal::proxy {

struct Proxy::Core {
  Core(Executor executor, Options options) : edge(executor, std::move(options)), sessions(std::move(executor)) {
    edge.on_client_left = [this] {
      for (auto& listener : listeners) listener->resume();
    };
  }

  void tell_sessions() {
    for (Session& session : edge.sessions) edge.poller->schedule(session.wakeup);
  }

  Edge edge;
  TaskGroup sessions;
  std::vector<std::unique_ptr<Listener>> listeners;
};

Proxy::Proxy(Executor executor, Options options) : core_(std::make_shared<Core>(std::move(executor), std::move(options))) {
  core_->edge.poller->start();
}

Proxy::~Proxy() { core_->edge.poller->stop(); }

void Proxy::publish(std::shared_ptr<const RoutingSnapshot> snapshot) {
  asio::post(core_->edge.poller->executor(), [core = core_, snapshot = std::move(snapshot)]() mutable {
    core->edge.snapshot = std::move(snapshot);
    core->edge.pool.keep_only(*core->edge.snapshot);
  });
}

void Proxy::listen(ListenerId id, UniqueFd listening_socket) {
  asio::post(core_->edge.poller->executor(), [core = core_, id, socket = std::move(listening_socket)]() mutable {
    if (core->edge.phase != Edge::Phase::serving) return;
    core->listeners.push_back(std::make_unique<Listener>(core->edge, core->sessions, id, std::move(socket)));
  });
}

Task<> Proxy::shutdown(std::chrono::milliseconds grace) {
  Edge& edge = core_->edge;
  edge.phase = Edge::Phase::draining;
  core_->listeners.clear();
  edge.pool.clear();
  core_->tell_sessions();
  auto ends = Clock::now() + grace;
  constexpr std::chrono::milliseconds kLook{10};
  while (core_->sessions.size() > 0 && Clock::now() < ends) co_await sleep_for(kLook);
  edge.phase = Edge::Phase::breaking_off;
  core_->tell_sessions();
  co_await core_->sessions.wait();
  edge.poller->stop();
}

const Stats& Proxy::stats() const { return core_->edge.stats; }

}  // namespace flylocal::proxy
