#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <memory>
#include <optional>
#include <string>

#include "flylocal/base/result.hpp"
#include "netns/network_namespace.hpp"

struct nl_sock;

namespace flylocal::netns {

/// The index of a network interface in its namespace. rtnetlink(7)
enum class LinkIndex : int {};

/// A rtnetlink connection to the namespace in which it was opened; it keeps talking to that one whatever the
/// calling thread does later. Every call is one request, acknowledged by the kernel. Not for concurrent use.
class Netlink {
 public:
  static Result<Netlink> open();

  /// Makes a bridge, up, with a hardware address that stays. Spanning tree is off, as the kernel makes them, so its
  /// ports forward at once.
  Result<LinkIndex> create_bridge(const std::string& name, int mtu);
  struct Veth {
    std::string name;
    std::string peer_name;
    int mtu;
    LinkIndex bridge;
    std::array<unsigned char, 6> peer_hardware_address;
  };
  /// Makes a veth pair: one end here, up and plugged into the bridge, the other in `peer_namespace`, down.
  Result<> create_veth(const Veth& veth, const NetworkNamespace& peer_namespace);
  /// Deletes a link by name; a veth's peer goes with it. No such link is no error.
  Result<> delete_link(const std::string& name);

  Result<LinkIndex> index_of(const std::string& name);
  Result<> set_up(LinkIndex link);
  /// Lets IPv4 packets that arrive on `link` be looked up for forwarding.
  Result<> enable_ipv4_forwarding(LinkIndex link);

  /// Adds an address without duplicate address detection, usable at once.
  Result<> add_address(LinkIndex link, const boost::asio::ip::address& address, int prefix_length);
  Result<> remove_address(LinkIndex link, const boost::asio::ip::address& address, int prefix_length);
  struct Route {
    boost::asio::ip::address destination;
    int prefix_length;
    LinkIndex link;
    std::optional<boost::asio::ip::address> gateway{};
    enum class Kind { kUnicast, kLocal } kind = Kind::kUnicast;
  };
  Result<> add_route(const Route& route);
  /// Answers "unreachable" to every IPv4 packet that arrives on `interface_name` and is not for this namespace.
  Result<> refuse_forwarding_from(const std::string& interface_name);

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit Netlink(nl_sock* socket) : socket_(socket) {}
  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace flylocal::netns
