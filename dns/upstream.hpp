#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "dns/message.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

/// What came of asking one upstream once.
struct UpstreamAnswer {
  enum class Kind {
    usable,     ///< `reply` is a whole answer to our question
    unwilling,  ///< `reply` says SERVFAIL or the like: another upstream may know better
    none,       ///< it cannot be reached, or what came could not be read
  };
  Kind kind = Kind::none;
  std::vector<std::uint8_t> reply;
};

/// Asks `upstream` the question of `query`: over UDP, and over TCP when that answer is truncated (RFC 7766
/// 5). Ends at once when the upstream cannot be reached and says so; to one that is silent it listens until the
/// caller cancels. `heard` is called when its answer was truncated: then it lives, whatever comes over TCP. Opens its sockets on the
/// calling thread.
Task<UpstreamAnswer> ask_upstream(Query query, asio::ip::udp::endpoint upstream, std::function<void()> heard);

}  // namespace flylocal::dns
