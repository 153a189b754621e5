#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <memory>
#include <mutex>

#include "proxy/arrival.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/io/buffer.hpp"
#include "proxy/io/flow_group.hpp"
#include "proxy/io/wakeup.hpp"
#include "proxy/proxy.hpp"
#include "proxy/request_id.hpp"
#include "proxy/tls/leaf_cache.hpp"
#include "proxy/upstream_pool.hpp"
#include "proxy/waiting_room.hpp"
#include "proxy/wakes.hpp"

/// What all sessions of one proxy share. Everything here belongs to the proxy's one thread.
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

struct Edge {
  Edge(Executor executor, Options given)
      : options(std::move(given)),
        poller(std::make_shared<Poller>(executor)),
        pool(options.upstream_idle_limit, stats),
        leaves(options.tls ? std::make_unique<tls::LeafCache>(options.tls) : nullptr) {}

  /// A client's session has ended.
  void leave() {
    bool was_full = stats.clients_now.fetch_sub(1, std::memory_order_relaxed) >= options.max_clients;
    if (was_full && phase == Phase::serving) on_client_left();
  }

  /// Any thread: `newest` is routed by from the next adopt_published() on.
  void publish(std::shared_ptr<const RoutingSnapshot> newest) {
    std::lock_guard lock(published_mutex_);
    published_ = std::move(newest);
    has_published_.store(true, std::memory_order_release);
  }
  /// Called where something begins that looks at `snapshot`: a busy poller may keep the executor from other work
  /// for a while, but a request that comes after a change of routing has to see it.
  void adopt_published() {
    if (!has_published_.load(std::memory_order_acquire)) return;
    {
      std::lock_guard lock(published_mutex_);
      snapshot = std::move(published_);
      has_published_.store(false, std::memory_order_relaxed);
    }
    pool.keep_only(*snapshot);
    wakes.on_snapshot(*snapshot);
    waiting_room.on_snapshot(*snapshot, *poller);
  }

  /// How far the proxy's end has come.
  enum class Phase { serving, draining, breaking_off };

  Options options;
  Stats stats;
  std::shared_ptr<Poller> poller;
  BufferPool buffers;
  UpstreamPool pool;
  WaitingRoom waiting_room{stats};
  Wakes wakes{stats};
  /// Null where there is no authority to sign certificates.
  std::unique_ptr<tls::LeafCache> leaves;
  RandomBits random;
  RequestLog log;
  std::shared_ptr<const RoutingSnapshot> snapshot = std::make_shared<const RoutingSnapshot>();
  Phase phase = Phase::serving;
  boost::intrusive::list<Session, boost::intrusive::constant_time_size<false>> sessions;
  /// Called when there may be room for another client.
  std::function<void()> on_client_left;
  /// All clients. They use the rest.
  FlowGroup flows{*poller};
  /// Memory for parsing, free between two waits of a session.
  http1::RequestHead request_head;
  http1::ResponseHead response_head;

 private:
  std::mutex published_mutex_;
  std::shared_ptr<const RoutingSnapshot> published_;
  std::atomic<bool> has_published_{false};
};

/// The region at whose edge a request came in, as far as it is known: what it asked for, the port's, or
/// Options::edge_region. `port` may be null.
inline std::string_view edge_region_of(const Edge& edge, const PublishedPort* port, std::string_view asked) {
  if (!asked.empty()) return asked;
  return port && !port->edge_region.empty() ? std::string_view(port->edge_region) : edge.options.edge_region;
}

inline void count(Stats::Counter& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace flylocal::proxy
