#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "proxy/routing.hpp"

namespace flylocal::proxy {

/// How a client came: what is known before its first request.
struct Arrival {
  ListenerId listener{};
  asio::ip::tcp::endpoint client;
  asio::ip::tcp::endpoint dialled;  ///< the address that the client connected to
  bool secure = false;              ///< over TLS that the proxy ended
  bool http2 = false;
  std::string server_name;  ///< TLS SNI (RFC 6066 3) in lower case; empty without
};

/// The address as the application is told: IPv4 also where an IPv6 socket took the connection.
std::string address_text(const asio::ip::address& address);

}  // namespace flylocal::proxy
