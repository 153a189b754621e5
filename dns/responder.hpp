#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dns/message.hpp"
#include "dns/zone.hpp"

namespace flylocal::dns {

enum class Transport { udp, tcp };

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

/// Answers `message` as the network `network` sees the world, and writes the response, where there is one, to
/// `response`. `zone` may be null: nothing is published yet.
Outcome respond(std::span<const std::uint8_t> message, const ZoneSnapshot* zone, NetworkId network,
                Transport transport, std::vector<std::uint8_t>& response);

enum class Relayed {
  whole,
  truncated,  ///< cut to what the transport takes, with TC
  failed,     ///< the reply was no usable response: SERVFAIL was written
};

/// Writes the response that hands an upstream's `reply` to the asker of `query`: with the asker's id,
/// spelling of the question, and EDNS.
Relayed relay(const Query& query, std::span<const std::uint8_t> reply, Transport transport,
              std::vector<std::uint8_t>& response);

/// A response without records.
void write_failure(const Query& query, Rcode rcode, std::vector<std::uint8_t>& response);

}  // namespace flylocal::dns
