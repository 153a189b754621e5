#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <string>

#include "flylocal/base/result.hpp"
#include "netns/netlink.hpp"
#include "netns/network_namespace.hpp"

namespace flylocal::netns {

/// MTU of everything inside, as on the platform (platform facts 1.1: WireGuard leaves 1420 octets).
inline constexpr int kGuestMtu = 1420;

/// One 6PN network: a bridge of its own. `prefix` is the network's /48 (its low 80 bits are zero).
struct SixPnNetwork {
  std::string bridge;
  boost::asio::ip::address_v6 prefix;

  /// Where the backbone itself stands in the network: <prefix>::3, the resolver's address over WireGuard and
  /// here also the source of everything that reaches a machine from outside over 6PN.
  boost::asio::ip::address_v6 edge_address() const;
};

/// What a guest's one interface looks like. platform facts 1.1 and 2.1
struct GuestNetwork {
  std::string veth;                            ///< the name of the backbone's end
  boost::asio::ip::address_v4 private_ipv4;    ///< where Fly Proxy connects; a /29 with the two around it
  boost::asio::ip::address_v6 six_pn;          ///< a /112

  boost::asio::ip::address_v4 gateway() const;          ///< private_ipv4 - 1, on the bridge
  boost::asio::ip::address_v4 global_services() const;  ///< private_ipv4 + 1: `fly-global-services`
  /// 172.16.a.b for the private IPv4 172.19.a.b: the source of Fly Proxy's connections to this guest.
  boost::asio::ip::address_v4 proxy_source() const;
};

/// The address of the resolver in every network.
boost::asio::ip::address_v6 resolver_address();

/// The network between the machines and the edge: a namespace with one bridge per 6PN network.
///
/// Theory of operation. Each guest's eth0 is a veth whose other end is a port of its network's bridge. The
/// bridge has the gateway of each guest's /29, fdaa::3 and <prefix>::3. Guests of one network see each other on
/// the link over IPv6; between bridges nothing is forwarded. IPv4 goes by the gateway, where a rule answers
/// "unreachable" to whatever is not for the backbone itself, so that machines neither reach each other over
/// IPv4 nor hang when they try the world outside. IPv6 for the world outside goes to <prefix>::3, and no further than
/// the public addresses that the backbone has itself. 172.16.0.0/16 is local here as a whole (an AnyIP route), so
/// that the proxy can take each guest's own source address without adding it.
///
/// One thread at a time may use it; which, does not matter: its netlink socket stays in the namespace.
class Backbone {
 public:
  /// Makes the namespace and leaves the calling thread in it.
  static Result<Backbone> create();

  Result<> add_network(const SixPnNetwork& network);
  /// Gives the guest's namespace its loopback and eth0. The guest has none of both before.
  Result<> attach(const SixPnNetwork& network, const GuestNetwork& guest, const NetworkNamespace& guest_namespace);
  /// Gives a namespace without guest an eth0 on the network with this /120 address and no IPv4, as a WireGuard
  /// peer of the platform has it (platform facts 2.2).
  Result<> attach_peer(const SixPnNetwork& network, const std::string& veth, const boost::asio::ip::address_v6& address,
                       const NetworkNamespace& peer_namespace);
  /// Makes `address`, of the world outside, one of this namespace: guests of every network reach it here, over the
  /// routes that they have for all the rest of the world.
  Result<> add_public_address(const boost::asio::ip::address& address);
  /// Takes the guest off the network at once. Without it the kernel does so, some time after the guest's end.
  Result<> detach(const SixPnNetwork& network, const GuestNetwork& guest);

  const NetworkNamespace& network_namespace() const { return namespace_; }

 private:
  Backbone(NetworkNamespace ns, Netlink netlink) : namespace_(std::move(ns)), netlink_(std::move(netlink)) {}
  NetworkNamespace namespace_;
  Netlink netlink_;
};

}  // namespace flylocal::netns
