#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <string>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::netns {

/// Sockets made here belong to the network namespace of the calling thread, for ever. All are non-blocking and
/// close-on-exec. IPv6 ones are IPv6 only.

/// A listening TCP socket. `device` (may be empty) limits it to one interface (SO_BINDTODEVICE).
/// The Error's code is address_in_use where another socket has the port.
Result<UniqueFd> listen_tcp(const boost::asio::ip::tcp::endpoint& endpoint, const std::string& device = {});

/// A bound UDP socket; `device` as above.
Result<UniqueFd> bind_udp(const boost::asio::ip::udp::endpoint& endpoint, const std::string& device = {});

}  // namespace flylocal::netns
