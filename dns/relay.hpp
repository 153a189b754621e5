#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dns/message.hpp"

namespace flylocal::dns {

enum class Transport { udp, tcp };

/// How long the response to `query` may be (RFC 6891 6.2.3: sizes below 512 count as 512).
std::size_t size_limit(const Query& query, Transport transport);

enum class Relayed {
  whole,      ///< at most the additional section is missing
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
