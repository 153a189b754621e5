#pragma once

#include <boost/asio/ip/address_v6.hpp>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "dns/finding.hpp"
#include "dns/message.hpp"
#include "dns/relay.hpp"
#include "dns/zone.hpp"

namespace flylocal::dns {

/// What becomes of a query.
struct Outcome {
  enum class Kind {
    answered,  ///< NOERROR with records
    no_data,   ///< NOERROR without (RFC 2308 2.2)
    name_error,
    refused,         ///< FORMERR, NOTIMP, REFUSED or BADVERS
    server_failure,  ///< no zone is known for the network that asks
    forward,         ///< not ours: nothing was written, `query` is what is to be asked
    drop,            ///< to be left without an answer
  };
  Kind kind = Kind::drop;
  bool truncated = false;
  Query query;
};

struct ResponderOptions {
  /// What `version.bind` and `version.server` say.
  std::string server_name = "flylocal";
};

/// Answers from snapshots. Belongs to one thread. Once its memory has grown to what the answers need, an answer from
/// the zone allocates nothing.
class Responder {
 public:
  explicit Responder(const ResponderOptions& options = {});

  /// Answers `message` of `client` as the network `network` sees the world, and writes the response, where there is
  /// one, to `response`. `zone` may be null: nothing is published yet.
  Outcome respond(std::span<const std::uint8_t> message, const ZoneSnapshot* zone, NetworkId network,
                  const boost::asio::ip::address_v6& client, Transport transport, std::vector<std::uint8_t>& response);

 private:
  Outcome::Kind answer(const Query& query, const ZoneSnapshot* zone, NetworkId network,
                       const boost::asio::ip::address_v6& client, Transport transport, std::vector<std::uint8_t>& response,
                       bool& truncated);
  Outcome::Kind write_answer(const Query& query, std::size_t apex, AnswerOrder order, Transport transport,
                             std::vector<std::uint8_t>& response, bool& truncated);
  Outcome::Kind answer_chaos(const Query& query, Transport transport, std::vector<std::uint8_t>& response);
  std::size_t write_permuted(MessageWriter& writer, const RecordSet& records);

  RecordSet version_;
  RecordSet loopback_v4_{RecordType::a};
  RecordSet loopback_v6_{RecordType::aaaa};
  Finding finding_;
  std::minstd_rand random_;
  std::vector<std::uint32_t> permutation_;
};

}  // namespace flylocal::dns
