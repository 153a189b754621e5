#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns/answer_cache.hpp"
#include "dns/forwarder.hpp"
#include "dns/query_log.hpp"
#include "dns/question_journal.hpp"
#include "dns/relay.hpp"
#include "dns/responder.hpp"
#include "dns/snapshot_slot.hpp"
#include "dns/statistics.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

/// What the listeners of all networks and transports share: the way from the octets of a query to those of
/// its response. All but publish(), the counters and the log's version() belongs to the server's thread.
class QueryService {
 public:
  /// Takes a response; it may be kept only as a copy.
  using Deliver = std::function<void(std::span<const std::uint8_t>)>;

  QueryService(Executor executor, Forwarder& forwarder, const ResponderOptions& options = {});
  ~QueryService() { stop(); }
  QueryService(const QueryService&) = delete;
  QueryService& operator=(const QueryService&) = delete;

  void publish(std::shared_ptr<const ZoneSnapshot> snapshot) { zone_.publish(std::move(snapshot)); }
  const Statistics& statistics() const { return statistics_; }

  /// Counts, notes and answers a query of `client`. Of the outcomes, `forward` is to be passed on to forward(), `drop`
  /// has no response, and all others have theirs in `response`.
  Outcome respond(std::span<const std::uint8_t> message, NetworkId network, const boost::asio::ip::address_v6& client,
                  Transport transport, std::vector<std::uint8_t>& response);
  const QuestionJournal& journal() const { return journal_; }
  const QueryLog& log() const { return log_; }

  /// Answers `client` from what upstreams have said before, or asks them. Who asks what is being asked already waits for
  /// the same reply: upstream goes one question. `deliver` is called once, during the call or later, but never after stop().
  void forward(const Query& query, NetworkId network, const boost::asio::ip::address_v6& client, Transport transport, Deliver deliver);

  void count_tcp_connection() { statistics_.tcp_connections.fetch_add(1, std::memory_order_relaxed); }

  /// Replies that are still out are not delivered any more.
  void stop();

 private:
  class ReplyGate;
  /// Who waits for a reply.
  struct Asker {
    Query query;
    NetworkId network{};
    boost::asio::ip::address_v6 client;
    Transport transport{};
    std::chrono::steady_clock::time_point begun;
    Deliver deliver;
  };
  void take_reply(const std::string& key, const Forwarder::Reply& reply);
  /// `reply` is empty when there is none; `origin` is where it comes from, the cache or an upstream.
  void deliver_reply(const Asker& asker, std::span<const std::uint8_t> reply, Origin origin);

  Forwarder& forwarder_;
  SnapshotSlot zone_;
  Responder responder_;
  Statistics statistics_;
  QuestionJournal journal_;
  QueryLog log_;
  std::shared_ptr<ReplyGate> gate_;
  AnswerCache cache_;
  // By QuestionKey: what is being asked upstream, and for whom. The first is the one whose query went out.
  std::unordered_map<std::string, std::vector<Asker>> asked_;
  std::size_t joined_ = 0;  // all in `asked_` but the first ones
  bool stopped_ = false;
  std::vector<std::uint8_t> response_;  // its memory is used again from reply to reply
};

}  // namespace flylocal::dns
