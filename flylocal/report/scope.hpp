#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <string>
#include <vector>

#include "netns/socket_inventory.hpp"

namespace flylocal::report {

/// The addresses of one machine.
struct MachineAddresses {
  boost::asio::ip::address_v4 private_ipv4;
  boost::asio::ip::address_v4 global_services;
  boost::asio::ip::address_v6 six_pn;
};

/// What a socket is bound to, as far as it matters who can reach it.
enum class Scope {
  kLoopback,        ///< 127.0.0.0/8, ::1, also IPv4-mapped
  kIpv4Wildcard,    ///< 0.0.0.0
  kDualWildcard,    ///< [::], which takes IPv4 as well
  kIpv6Wildcard,    ///< [::] with IPV6_V6ONLY
  kPrivateIpv4,
  kGlobalServices,
  kSixPn,
  kOther,
};

Scope scope_of(const netns::BoundSocket& socket, const MachineAddresses& machine);

/// Whether a socket of this scope takes what is sent to the private IPv4 address, to the 6PN address, to
/// fly-global-services.
bool takes_private_ipv4(Scope scope);
bool takes_six_pn(Scope scope);
bool takes_global_services(Scope scope);

/// "127.0.0.1:8080", "[::]:8080"
std::string endpoint(const netns::BoundSocket& socket);
/// The same of several, separated by ", ".
std::string endpoints(const std::vector<netns::BoundSocket>& sockets);

}  // namespace flylocal::report
