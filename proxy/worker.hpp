#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>

#include "proxy/arrival.hpp"
#include "proxy/edge.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/io/buffer.hpp"
#include "proxy/io/flow_group.hpp"
#include "proxy/io/wakeup.hpp"
#include "proxy/request_id.hpp"
#include "proxy/upstream_pool.hpp"

/// What the sessions of one thread share, and what connects it with the proxy's other threads. A client stays with the
/// worker that it was given to, and so do the connections that it makes to machines: workers share nothing but the Edge.
namespace flylocal::proxy {

/// A client's connection: its channel, and what its Flow waits on.
class Session
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Session(Poller& poller, Arrival how, std::unique_ptr<Channel> channel)
      : arrival(std::move(how)), wakeup(poller), deadline(poller, wakeup), client_(std::move(channel)) {
    client_->set_owner(wakeup);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  /// Nobody is there any more to take an answer.
  virtual bool client_left() = 0;
  /// This machine is going to be stopped though it is in use (platform.md 4.6).
  virtual void on_machine_leaves(std::string_view) {}

  Channel& client() { return *client_; }
  /// For a session of another kind that goes on with the connection; this one is over.
  std::unique_ptr<Channel> hand_over() { return std::move(client_); }

  const Arrival arrival;
  Wakeup wakeup;
  Deadline deadline;

 private:
  std::unique_ptr<Channel> client_;
};

/// Gives `turn` a turn at each change of routing for as long as it exists.
class RoutingWatch
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  RoutingWatch(struct Worker& worker, Turn& turn);
  RoutingWatch(const RoutingWatch&) = delete;
  RoutingWatch& operator=(const RoutingWatch&) = delete;

 private:
  friend struct Worker;
  Turn& turn_;
};

/// Belongs to the one thread that runs its executor, but for post() and what says otherwise.
struct Worker : std::enable_shared_from_this<Worker> {
  Worker(Executor executor, std::shared_ptr<Edge> edge);

  /// Runs `work` on the worker's thread, unless that ends before. From any thread.
  template <class Work>
  void post(Work work) {
    asio::post(poller->executor(), [self = shared_from_this(), todo = std::move(work)]() mutable { todo(); });
  }

  /// A client whose socket another thread, or this one, has accepted.
  void take(UniqueFd socket, Arrival arrival);
  /// Its session has ended.
  void leave();

  /// Takes the newest routing over. Called, too, where a client begins and where a request looks for its machine: a busy
  /// poller may keep the executor from other work for a while, but no machine may be chosen by what was before.
  void adopt() {
    if (edge->dispatch.version() != version_) adopt_newest();
  }
  /// The dispatch, with `snapshot` the newest.
  Dispatch::Held hold_dispatch();

  /// How far the proxy's end has come.
  enum class Phase { serving, draining, breaking_off };
  void enter(Phase next);
  /// Ends when no client is left.
  Task<> drain();

  const std::shared_ptr<Edge> edge;
  const Options& options;
  Counters stats;
  /// Clients that it has or is about to get: whoever accepts adds them, from any thread.
  std::atomic<std::size_t> clients{0};
  std::shared_ptr<Poller> poller;
  BufferPool buffers;
  UpstreamPool pool;
  RandomBits random;
  std::shared_ptr<const RoutingSnapshot> snapshot = std::make_shared<const RoutingSnapshot>();
  WaitingRoom::Bell bell;
  boost::intrusive::list<RoutingWatch, boost::intrusive::constant_time_size<false>> watches;
  Phase phase = Phase::serving;
  boost::intrusive::list<Session, boost::intrusive::constant_time_size<false>> sessions;
  /// All clients. They use the rest.
  FlowGroup flows{*poller};
  /// Memory for parsing, free between two waits of a session.
  http1::RequestHead request_head;
  http1::ResponseHead response_head;

 private:
  void adopt_newest();

  std::uint64_t version_ = 0;
};

/// The region at whose edge a request came in, as far as it is known: what it asked for, the port's, or
/// Options::edge_region. `port` may be null.
inline std::string_view edge_region_of(const Worker& worker, const PublishedPort* port, std::string_view asked) {
  if (!asked.empty()) return asked;
  return port && !port->edge_region.empty() ? std::string_view(port->edge_region) : worker.options.edge_region;
}

}  // namespace flylocal::proxy
