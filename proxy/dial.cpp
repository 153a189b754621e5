#include "proxy/dial.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace flylocal::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirstPause = 50ms;
constexpr std::chrono::milliseconds kLongestPause = 500ms;
constexpr auto kNever = Clock::time_point::max();

bool is_wanted(Worker& worker, Session& session) {
  return worker.phase != Worker::Phase::breaking_off && !session.client_left();
}

bool is_routable(const Upstream& upstream) { return upstream.healthy && !upstream.cordoned; }

bool contains(std::span<const std::string> ids, std::string_view id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// The machine's place in another snapshot; null when it has left or runs elsewhere now.
const Upstream* find_same(const std::vector<Upstream>& upstreams, const Upstream& machine) {
  auto found = std::find_if(upstreams.begin(), upstreams.end(), [&](const Upstream& other) {
    return other.machine_id == machine.machine_id && other.endpoint == machine.endpoint;
  });
  return found == upstreams.end() ? nullptr : &*found;
}

bool is_still_there(const Worker& worker, const Upstream& machine) {
  return std::any_of(worker.snapshot->services.begin(), worker.snapshot->services.end(),
                     [&](const Service& service) { return find_same(service.upstreams, machine) != nullptr; });
}

bool take_pooled(Worker& worker, Session& session, Reuse reuse, Dialled& result) {
  if (reuse == Reuse::none || result.service->concurrency.type != ConcurrencyType::requests) return false;
  if (result.backend->http.h2_backend) {
    bool known_open = reuse != Reuse::any;
    result.connection = worker.pool.take_stream(result.upstream->endpoint, session.wakeup, known_open);
    result.reused = result.connection != nullptr;
    return result.reused;
  }
  if (reuse == Reuse::shared_only) return false;
  do {
    result.connection = worker.pool.take(result.upstream->endpoint, session.wakeup);
  } while (result.connection && reuse == Reuse::known_open && result.connection->closed_by_machine());
  result.reused = result.connection != nullptr;
  return result.reused;
}

/// Returns the errno the attempt ended with; 0 when the connection stands. ECANCELED: nobody wants it any
/// more. ECONNABORTED: the machine was taken out of the routing, and may never answer.
Flow<int> connect(Worker& worker, Session& session, const Dialled& dialled,
                  std::unique_ptr<UpstreamConnection>& connection) {
  const Upstream& upstream = *dialled.upstream;
  int begun = 0;
  if (dialled.port->handlers.http && dialled.backend->http.h2_backend) {
    const bool shared = dialled.service->concurrency.type == ConcurrencyType::requests;
    begun = worker.pool.open_stream(*worker.poller, worker.buffers, upstream, session.wakeup, worker.options.connect_limit,
                                  shared, connection);
  } else {
    connection = std::make_unique<UpstreamConnection>(*worker.poller, session.wakeup, upstream.endpoint);
    begun = connection->begin_connect(upstream);
  }
  if (begun != 0) co_return begun;
  RoutingWatch watch(worker, session.wakeup);
  session.deadline.set_after(worker.options.connect_limit);
  while (!connection->channel().writable() && !connection->channel().broken()) {
    co_await session.wakeup.wait();
    if (!is_wanted(worker, session)) co_return ECANCELED;
    if (session.deadline.passed()) co_return ETIMEDOUT;
    if (worker.snapshot != dialled.snapshot && !is_still_there(worker, upstream)) co_return ECONNABORTED;
  }
  session.deadline.clear();
  co_return connection->connect_result();
}

bool cause_is_known(const std::vector<FailedAttempt>& failed) {
  return std::all_of(failed.begin(), failed.end(),
                     [](const auto& attempt) { return !attempt.finding.code.empty(); });
}

/// One request's way to a machine: decides what to do next, and waits for nothing itself. Everything between next() and
/// its return, but for asking for a machine's start, is one decision with the dispatch held.
class Search {
 public:
  enum class Next {
    connect,  ///< to result.upstream, which counts the request already
    wait,     ///< until may_go_on()
    end,      ///< result.outcome says how
  };

  Search(Worker& worker, Session& session, const DialRequest& request, Dialled& result)
      : worker_(worker), session_(session), request_(request), result_(result) {}
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search() {
    if (!place_) return;
    Dispatch::Held held = worker_.edge->dispatch.hold();
    place_.reset();
  }

  Next next() {
    Next decision;
    {
      Dispatch::Held held = worker_.hold_dispatch();
      decision = decide(held);
    }
    outdated_.reset();
    // Whoever starts machines may publish at once what comes of it.
    if (!to_start_.empty()) worker_.options.on_wake(std::exchange(to_start_, {}));
    return decision;
  }

  Clock::time_point wait_ends() const { return wait_ends_; }
  bool may_go_on() const {
    return session_.deadline.passed() || (place_ && place_->called()) || worker_.snapshot != result_.snapshot;
  }

  void begin_attempt() {
    if (patience_ends_ == kNever) patience_ends_ = worker_.poller->now() + worker_.options.connect_patience;
  }

  void note_failure(int error) {
    const Upstream& machine = *result_.upstream;
    count(worker_.stats.upstream_failures);
    machine.load->failures.fetch_add(1, std::memory_order_relaxed);
    ++result_.failures;
    std::erase_if(result_.failed, [&](const auto& earlier) { return earlier.machine == machine.machine_id; });
    result_.failed.push_back({machine.machine_id, machine.endpoint, error, machine.finding});
    tried_.resize(result_.service->upstreams.size());
    tried_[static_cast<std::size_t>(&machine - result_.service->upstreams.data())] = true;
  }

 private:
  Next decide(Dispatch::Held& dispatch) {
    // Workers' rounds begin at different times; of when a wake is due they must all think the same.
    now_ = wake_ || !dispatch.wakes().empty() ? Clock::now() : worker_.poller->now();
    end_waiting();
    if (worker_.snapshot != result_.snapshot) {
      result_.outcome = look_up();
      if (result_.outcome != Dialled::Outcome::connected) return end(result_.outcome);
    }
    if (std::exchange(tries_again_, false)) forget_tried();
    settle_wake(dispatch.wakes());
    if (must_line_up(dispatch.waiting_room())) {
      join_wake(dispatch.wakes());
      return wait_in_line(dispatch);
    }
    choose();
    if (!result_.choice.any_below_soft && may_wake_ && (join_wake(dispatch.wakes()) || begin_wake(dispatch.wakes()))) return wait_in_line(dispatch);
    if (result_.choice.upstream) return take();
    switch (result_.choice.reason) {
      case Choice::Reason::all_tried:
        return pause();
      case Choice::Reason::all_full:
        return wait_until_limit(dispatch, Dialled::Outcome::overloaded);
      case Choice::Reason::all_unhealthy:
        return wait_until_limit(dispatch, Dialled::Outcome::unhealthy);
      case Choice::Reason::all_cordoned:
        return wait_until_limit(dispatch, Dialled::Outcome::cordoned);
      default:
        return end(wake_trouble_.value_or(Dialled::Outcome::no_machine));
    }
  }

  /// Finds the port and the service anew in the newest snapshot. What was tried stays so.
  Dialled::Outcome look_up() {
    outdated_ = std::move(result_.snapshot);
    const Service* service_before = result_.service;
    result_.snapshot = worker_.snapshot;
    result_.port = result_.snapshot->find_port(session_.arrival.listener);
    result_.backend = nullptr;
    result_.service = nullptr;
    result_.upstream = nullptr;
    result_.choice = {};
    if (!result_.port) return Dialled::Outcome::unpublished;
    result_.backend = result_.snapshot->find_backend(*result_.port, request_.host);
    if (!result_.backend) return Dialled::Outcome::unknown_host;
    result_.service = &result_.snapshot->service_of(*result_.backend);
    Tried tried_before = std::move(tried_);
    forget_tried();
    for (std::size_t i = 0; i < tried_before.size(); ++i) {
      if (!tried_before[i]) continue;
      if (auto* same = find_same(result_.service->upstreams, service_before->upstreams[i])) mark_tried(*same);
    }
    if (place_ && !place_->is_for(*result_.service)) leave_line(WaitingRoom::Call::routing);
    return Dialled::Outcome::connected;
  }

  void forget_tried() {
    tried_.clear();
    if (request_.broken.empty()) return;
    for (const Upstream& upstream : result_.service->upstreams) {
      if (contains(request_.broken, upstream.machine_id)) mark_tried(upstream);
    }
  }

  void mark_tried(const Upstream& upstream) {
    tried_.resize(result_.service->upstreams.size());
    tried_[static_cast<std::size_t>(&upstream - result_.service->upstreams.data())] = true;
  }

  bool was_tried(const Upstream& upstream) const {
    auto index = static_cast<std::size_t>(&upstream - result_.service->upstreams.data());
    return index < tried_.size() && tried_[index];
  }

  /// Others were here first. A request that comes back from a machine that refused it was, too.
  bool must_line_up(const WaitingRoom& room) const {
    return !place_ && !room.empty() && tried_.empty() && room.waiting_for(*result_.service) > 0;
  }

  std::string_view edge_region() const { return edge_region_of(worker_, result_.port, request_.edge_region); }

  void choose() {
    const Service& service = *result_.service;
    Choice& choice = result_.choice;
    choice = choose_machine(service, tried_, edge_region(), result_.snapshot->distances.get(), worker_.random);
    if (result_.woken.empty() || wake_trouble_) return;
    // It was woken for this request, also if it is not the nearest.
    for (const Upstream& upstream : service.upstreams) {
      if (upstream.machine_id != result_.woken || !is_routable(upstream) || was_tried(upstream)) continue;
      LoadClass load = load_class(upstream.load->current.load(std::memory_order_relaxed), service.concurrency);
      if (load != LoadClass::below_soft) continue;
      choice.upstream = &upstream;
      choice.reason = Choice::Reason::chosen;
      choice.load = load;
    }
  }

  /// Waits along for a machine that is being woken.
  bool join_wake(Wakes& wakes) {
    if (wake_) return true;
    if (!may_wake_ || wakes.empty()) return false;
    const Wakes::Wake* wake = wakes.of(*result_.service, now_);
    if (wake) wake_ = *wake;
    return wake != nullptr;
  }

  bool begin_wake(Wakes& wakes) {
    if (!worker_.options.on_wake || result_.service->sleepers.empty()) return false;
    const Sleeper* sleeper = choose_sleeper(result_.service->sleepers, edge_region(),
                                            result_.snapshot->distances.get(), worker_.random);
    wake_ = wakes.begin(*sleeper, now_ + worker_.options.wake_patience);
    to_start_ = sleeper->machine_id;
    return true;
  }

  void settle_wake(Wakes& wakes) {
    if (!wake_) return;
    if (wakes.find(wake_->number)) {
      if (now_ < wake_->due) return;
      wakes.give_up(wake_->number);
    }
    const auto& upstreams = result_.service->upstreams;
    bool arrived = std::any_of(upstreams.begin(), upstreams.end(), [&](const Upstream& upstream) {
      return upstream.machine_id == wake_->machine_id && is_routable(upstream);
    });
    result_.woken = wake_->machine_id;
    if (arrived) {
      // What comes now has its own time.
      patience_ends_ = queue_ends_ = kNever;
    } else if (now_ >= wake_->due || wakes.has_failed(wake_->number)) {
      may_wake_ = false;
      wake_trouble_ = now_ < wake_->due ? Dialled::Outcome::wake_failed : Dialled::Outcome::wake_late;
    }
    wake_.reset();
  }

  Next take() {
    result_.upstream = result_.choice.upstream;
    result_.load = LoadTicket(result_.upstream->load, worker_.edge->dispatch);
    // Only a call for the room of one request says that there is no more. Whoever was not called has found some.
    leave_line(call_ == WaitingRoom::Call::room ? WaitingRoom::Call::none : WaitingRoom::Call::routing);
    return Next::connect;
  }

  Next wait_until_limit(Dispatch::Held& dispatch, Dialled::Outcome outcome) {
    if (now_ < queue_ends_) return wait_in_line(dispatch);
    count(worker_.stats.queue_refusals);
    return end(wake_trouble_.value_or(outcome));
  }

  Next wait_in_line(Dispatch::Held& dispatch) {
    if (place_) {
      // Who waits for a wake, or has tried a machine in vain, says nothing of the room that others would take.
      if (!wake_ && tried_.empty()) place_->found_none();
    } else {
      if (dispatch.waiting_room().waiting_for(*result_.service) >= worker_.options.max_waiting) {
        count(worker_.stats.queue_refusals);
        return end(Dialled::Outcome::queue_full);
      }
      place_.emplace(dispatch.waiting_room(), worker_.bell, session_.wakeup, *result_.service, worker_.stats.waiting_now);
      if (!std::exchange(was_queued_, true)) count(worker_.stats.queued);
    }
    if (queue_ends_ == kNever) queue_ends_ = now_ + worker_.options.queue_limit;
    wait_ends_ = wake_ ? wake_->due : queue_ends_;
    if (!tried_.empty()) try_again_after_pause();
    // Room at a machine that this request does not want may do for another.
    if (call_ != WaitingRoom::Call::none && !tried_.empty()) place_->call_next();
    waiting_since_ = now_;
    return Next::wait;
  }

  /// Nobody in line waits for a machine that refuses connections, so this is no place to stand in it.
  Next pause() {
    if (result_.failed.empty() || cause_is_known(result_.failed) || now_ + pause_ >= patience_ends_) {
      return end(Dialled::Outcome::unreachable);
    }
    leave_line(call_);
    watch_.emplace(worker_, session_.wakeup);
    wait_ends_ = kNever;
    try_again_after_pause();
    return Next::wait;
  }

  void try_again_after_pause() {
    tries_again_ = true;
    wait_ends_ = std::min(wait_ends_, now_ + pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
  }

  void end_waiting() {
    watch_.reset();
    call_ = WaitingRoom::Call::none;
    if (!place_) return;
    call_ = place_->answer_call();
    (wake_ ? result_.wake_time : result_.queue_time) += now_ - std::exchange(waiting_since_, now_);
  }

  /// The next one in line is called for `pass_on`.
  void leave_line(WaitingRoom::Call pass_on) {
    if (!place_) return;
    place_->pass_on(pass_on);
    place_.reset();
  }

  Next end(Dialled::Outcome outcome) {
    leave_line(call_);
    result_.outcome = outcome;
    return Next::end;
  }

  Worker& worker_;
  Session& session_;
  const DialRequest& request_;
  Dialled& result_;
  /// Perhaps the last reference to it: not to be dropped while the dispatch is held.
  std::shared_ptr<const RoutingSnapshot> outdated_;
  Tried tried_;
  std::optional<WaitingRoom::Place> place_;
  std::optional<RoutingWatch> watch_;
  std::optional<Wakes::Wake> wake_;  ///< the one that it waits for
  std::optional<Dialled::Outcome> wake_trouble_;
  std::string to_start_;  ///< a machine that is to be asked for
  std::chrono::milliseconds pause_ = kFirstPause;
  Clock::time_point now_;
  Clock::time_point waiting_since_;
  Clock::time_point wait_ends_ = kNever;
  Clock::time_point queue_ends_ = kNever;
  Clock::time_point patience_ends_ = kNever;
  bool may_wake_ = true;
  WaitingRoom::Call call_ = WaitingRoom::Call::none;  ///< that it looks for a machine upon
  bool was_queued_ = false;
  bool tries_again_ = false;
};

}  // namespace

bool has_other_machine(const Worker& worker, const Session& session, std::string_view host,
                       std::span<const std::string> broken) {
  const PublishedPort* port = worker.snapshot->find_port(session.arrival.listener);
  const Backend* backend = port ? worker.snapshot->find_backend(*port, host) : nullptr;
  if (!backend) return false;
  const Service& service = worker.snapshot->service_of(*backend);
  bool broken_one_runs = false;
  for (const Upstream& upstream : service.upstreams) {
    if (!is_routable(upstream)) continue;
    if (!contains(broken, upstream.machine_id)) return true;
    broken_one_runs = true;
  }
  return !broken_one_runs && !service.sleepers.empty() && worker.options.on_wake;
}

Flow<> dial(Worker& worker, Session& session, DialRequest request, Dialled& result) {
  Search search(worker, session, request, result);
  for (;;) {
    Search::Next next = search.next();
    if (next == Search::Next::end) co_return;
    if (next == Search::Next::connect) {
      if (take_pooled(worker, session, request.reuse, result)) {
        count(worker.stats.upstream_reuses);
        co_return;
      }
      search.begin_attempt();
      int error = co_await connect(worker, session, result, result.connection);
      session.deadline.clear();
      if (error == 0) {
        count(worker.stats.upstream_connects);
        co_return;
      }
      result.connection.reset();
      result.load = {};
      if (error == ECANCELED) {
        result.outcome = Dialled::Outcome::given_up;
        co_return;
      }
      search.note_failure(error);
      continue;
    }
    session.deadline.set(search.wait_ends());
    while (!search.may_go_on()) {
      co_await session.wakeup.wait();
      if (is_wanted(worker, session)) continue;
      result.outcome = Dialled::Outcome::given_up;
      co_return;
    }
    session.deadline.clear();
  }
}

}  // namespace flylocal::proxy
