#include "proxy/dial.hpp"

#include <algorithm>
#include <cerrno>

namespace flylocal::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirstPause = 50ms;
constexpr std::chrono::milliseconds kLongestPause = 500ms;

bool is_wanted(Edge& edge, Session& session) {
  return edge.phase != Edge::Phase::breaking_off && !session.client_left();
}

/// Finds the port and the service anew in the newest snapshot.
Dialled::Outcome look_up(Edge& edge, const Session& session, std::string_view host, Dialled& result) {
  result.snapshot = edge.snapshot;
  result.port = result.snapshot->find_port(session.arrival.listener);
  result.backend = nullptr;
  result.service = nullptr;
  result.upstream = nullptr;
  if (!result.port) return Dialled::Outcome::unpublished;
  result.backend = result.snapshot->find_backend(*result.port, host);
  if (!result.backend) return Dialled::Outcome::unknown_host;
  result.service = &result.snapshot->service_of(*result.backend);
  if (result.service->upstreams.empty()) return Dialled::Outcome::no_machine;
  return Dialled::Outcome::connected;
}

bool take_pooled(Edge& edge, Session& session, Reuse reuse, Dialled& result) {
  if (reuse == Reuse::none || result.service->concurrency.type != ConcurrencyType::requests) return false;
  do {
    result.connection = edge.pool.take(result.upstream->endpoint, session.wakeup);
  } while (result.connection && reuse == Reuse::known_open && result.connection->closed_by_machine());
  result.reused = result.connection != nullptr;
  return result.reused;
}

/// Returns the errno the attempt ended with; 0 when the connection stands. ECANCELED: nobody wants it any
/// more.
Task<int> connect(Edge& edge, Session& session, const Upstream& upstream,
                  std::unique_ptr<UpstreamConnection>& connection) {
  connection = std::make_unique<UpstreamConnection>(*edge.poller, session.wakeup, upstream.endpoint);
  if (int error = connection->begin_connect(upstream)) co_return error;
  session.deadline.set_after(edge.options.connect_limit);
  while (!connection->channel().writable() && !connection->channel().broken()) {
    co_await session.wakeup.wait();
    if (!is_wanted(edge, session)) co_return ECANCELED;
    if (session.deadline.passed()) co_return ETIMEDOUT;
  }
  session.deadline.clear();
  co_return connection->connect_result();
}

bool cause_is_known(const std::vector<FailedAttempt>& failed) {
  return std::all_of(failed.begin(), failed.end(),
                     [](const auto& attempt) { return !attempt.finding.code.empty(); });
}

}  // namespace

Task<Dialled> dial(Edge& edge, Session& session, std::string_view host, Reuse reuse) {
  Dialled result;
  Tried tried;
  auto patience_ends = Clock::time_point::max();
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    result.outcome = look_up(edge, session, host, result);
    if (result.outcome != Dialled::Outcome::connected) co_return result;
    tried.clear();
    result.failed.clear();
    while ((result.upstream = choose_least_loaded(result.service->upstreams, tried, edge.random)) !=
           nullptr) {
      result.load = LoadTicket(result.upstream->load);
      if (take_pooled(edge, session, reuse, result)) {
        count(edge.stats.upstream_reuses);
        co_return result;
      }
      if (patience_ends == Clock::time_point::max()) {
        patience_ends = edge.poller->now() + edge.options.connect_patience;
      }
      int error = co_await connect(edge, session, *result.upstream, result.connection);
      if (error == 0) {
        count(edge.stats.upstream_connects);
        co_return result;
      }
      result.connection.reset();
      result.load = {};
      if (error == ECANCELED) {
        result.outcome = Dialled::Outcome::given_up;
        co_return result;
      }
      count(edge.stats.upstream_failures);
      result.upstream->load->failures.fetch_add(1, std::memory_order_relaxed);
      ++result.failures;
      result.failed.push_back(
          {result.upstream->machine_id, result.upstream->endpoint, error, result.upstream->finding});
      tried.resize(result.service->upstreams.size());
      tried[static_cast<std::size_t>(result.upstream - result.service->upstreams.data())] = true;
    }
    result.outcome = Dialled::Outcome::unreachable;
    session.deadline.clear();
    if (cause_is_known(result.failed) || edge.poller->now() + pause >= patience_ends) co_return result;
    session.deadline.set_after(pause);
    while (!session.deadline.passed()) {
      co_await session.wakeup.wait();
      if (is_wanted(edge, session)) continue;
      result.outcome = Dialled::Outcome::given_up;
      co_return result;
    }
    session.deadline.clear();
  }
}

}  // namespace flylocal::proxy
