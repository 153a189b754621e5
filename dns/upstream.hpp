#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "dns/message.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

/// What came of asking one upstream once.
struct UpstreamAnswer {
  enum class Kind {
    usable,     ///< `reply` is a whole answer to our question
    unwilling,  ///< `reply` says SERVFAIL or the like: another upstream may know better
    none,       ///< nothing came, or nothing that could be read
  };
  Kind kind = Kind::none;
  std::vector<std::uint8_t> reply;
};

/// Asks `upstream` the question of `query`: over UDP, and over TCP when that answer is truncated (RFC 7766
/// 5). Never takes longer than `timeout` for both together. Opens its sockets on the calling thread.
Task<UpstreamAnswer> ask_upstream(Query query, asio::ip::udp::endpoint upstream,
                                  std::chrono::milliseconds timeout);

}  // namespace flylocal::dns
