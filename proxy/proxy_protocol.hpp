#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "proxy/routing.hpp"

namespace flylocal::proxy {

/// What is sent to a machine before a connection's bytes (haproxy's proxy-protocol.txt, sections 2.1 and 2.2): the address that
/// the client has, and the one that it connected to. Both must be of one IP version, else the header says that they
/// are not known. IPv6 addresses that stand for IPv4 ones are written as those.
std::string proxy_protocol_header(ProxyProtocolVersion version, const asio::ip::tcp::endpoint& client,
                                  const asio::ip::tcp::endpoint& dialled);

}  // namespace flylocal::proxy
