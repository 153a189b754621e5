#pragma once

#include <atomic>
#include <cstdint>

namespace flylocal::dns {

/// Counted by the server's thread with relaxed increments, readable from every thread. A query is counted
/// once in `queries` and once in the group of outcomes below it.
struct Statistics {
  using Counter = std::atomic<std::uint64_t>;

  Counter queries{0};

  Counter answered{0};         ///< NOERROR with records, from the zone
  Counter no_data{0};          ///< NOERROR without records, from the zone
  Counter name_errors{0};      ///< NXDOMAIN, from the zone
  Counter refused{0};          ///< FORMERR, NOTIMP, REFUSED and BADVERS
  Counter dropped{0};          ///< not answered: responses and packets too short for a header
  Counter forwarded{0};        ///< answered by an upstream resolver, which was asked for it
  Counter cache_hits{0};       ///< answered by what an upstream resolver had said before
  Counter server_failures{0};  ///< SERVFAIL of our own: no upstream answered (now or just before), or no zone is published

  Counter joined{0};           ///< waited for what was being asked of an upstream already, whatever came of it
  Counter truncated{0};        ///< answers sent with TC, of whatever outcome
  Counter tcp_connections{0};  ///< accepted
};

}  // namespace flylocal::dns
