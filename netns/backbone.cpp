#include "netns/backbone.hpp"

#include <linux/if.h>

namespace flylocal::netns {
namespace {

using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;

constexpr LinkIndex kLoopback{1};  // the kernel makes `lo` first in every namespace
constexpr int kGuestIpv4PrefixLength = 29;
constexpr int kGuestSixPnPrefixLength = 112;
constexpr int kPeerPrefixLength = 120;
constexpr int kNetworkPrefixLength = 48;

/// A netlink connection of a namespace whose loopback and eth0 are up.
struct Inside {
  Netlink netlink;
  LinkIndex eth0;
};

Result<Inside> bring_links_up(const NetworkNamespace& ns) {
  auto visit = NamespaceVisit::to(ns);
  if (!visit) return visit.error();
  auto netlink = Netlink::open();
  if (!netlink) return netlink.error();
  auto eth0 = netlink->index_of("eth0");
  if (!eth0) return eth0.error();
  if (auto done = netlink->set_up(kLoopback); !done) return done.error();
  if (auto done = netlink->set_up(*eth0); !done) return done.error();
  return Inside{std::move(*netlink), *eth0};
}

Result<> join_six_pn(Inside& inside, const SixPnNetwork& network, const address_v6& address, int prefix_length) {
  auto& [netlink, eth0] = inside;
  if (auto done = netlink.add_address(eth0, address, prefix_length); !done) return done;
  if (auto done = netlink.add_route({network.prefix, kNetworkPrefixLength, eth0}); !done) return done;
  return netlink.add_route({resolver_address(), 128, eth0});
}

}  // namespace

address_v6 SixPnNetwork::edge_address() const {
  auto bytes = prefix.to_bytes();
  bytes[15] = 3;
  return address_v6(bytes);
}

address_v4 GuestNetwork::gateway() const { return address_v4(private_ipv4.to_uint() - 1); }

address_v4 GuestNetwork::global_services() const { return address_v4(private_ipv4.to_uint() + 1); }

address_v4 GuestNetwork::proxy_source() const {
  return address_v4((172u << 24) | (16u << 16) | (private_ipv4.to_uint() & 0xffff));
}

address_v6 resolver_address() { return boost::asio::ip::make_address_v6("fdaa::3"); }

Result<Backbone> Backbone::create() {
  auto ns = NetworkNamespace::enter_new();
  if (!ns) return ns.error();
  auto netlink = Netlink::open();
  if (!netlink) return netlink.error();
  if (auto done = netlink->set_up(kLoopback); !done) return done.error();
  Netlink::Route proxy_sources{boost::asio::ip::make_address_v4("172.16.0.0"), 16, kLoopback};
  proxy_sources.kind = Netlink::Route::Kind::kLocal;
  if (auto done = netlink->add_route(proxy_sources); !done) return done.error();
  return Backbone(std::move(*ns), std::move(*netlink));
}

Result<> Backbone::add_network(const SixPnNetwork& network) {
  auto bridge = netlink_.create_bridge(network.bridge, kGuestMtu);
  if (!bridge) return bridge.error();
  if (auto done = netlink_.add_address(*bridge, resolver_address(), 128); !done) return done;
  if (auto done = netlink_.add_address(*bridge, network.edge_address(), kNetworkPrefixLength); !done) return done;
  // The rule decides before any route does; forwarding is on only so that the kernel answers instead of dropping.
  if (auto done = netlink_.refuse_forwarding_from(network.bridge); !done) return done;
  return netlink_.enable_ipv4_forwarding(*bridge);
}

Result<> Backbone::attach(const SixPnNetwork& network, const GuestNetwork& guest,
                          const NetworkNamespace& guest_namespace) {
  auto bridge = netlink_.index_of(network.bridge);
  if (!bridge) return bridge.error();
  // The same at each start: the neighbours of a machine that restarts remember its hardware address.
  const auto ipv4 = guest.private_ipv4.to_bytes();
  const std::array<unsigned char, 6> hardware_address{0x02, 0x00, ipv4[0], ipv4[1], ipv4[2], ipv4[3]};
  if (auto done = netlink_.create_veth({guest.veth, "eth0", kGuestMtu, *bridge, hardware_address}, guest_namespace); !done) return done;
  if (auto done = netlink_.add_address(*bridge, guest.gateway(), kGuestIpv4PrefixLength); !done) return done;

  auto inside = bring_links_up(guest_namespace);
  if (!inside) return inside.error();
  auto& [netlink, eth0] = *inside;
  if (auto done = netlink.add_address(eth0, guest.private_ipv4, kGuestIpv4PrefixLength); !done) return done;
  if (auto done = netlink.add_address(eth0, guest.global_services(), kGuestIpv4PrefixLength); !done) return done;
  if (auto done = netlink.add_route({address_v4(), 0, eth0, guest.gateway()}); !done) return done;
  if (auto done = join_six_pn(*inside, network, guest.six_pn, kGuestSixPnPrefixLength); !done) return done;
  return netlink.add_route({address_v6(), 0, eth0, network.edge_address()});
}

Result<> Backbone::attach_peer(const SixPnNetwork& network, const std::string& veth, const address_v6& address,
                               const NetworkNamespace& peer_namespace) {
  auto bridge = netlink_.index_of(network.bridge);
  if (!bridge) return bridge.error();
  constexpr std::array<unsigned char, 6> kHardwareAddress{0x02, 0x00, 0xfd, 0xaa, 0x00, 0x0a};
  if (auto done = netlink_.create_veth({veth, "eth0", kGuestMtu, *bridge, kHardwareAddress}, peer_namespace); !done) return done;
  auto inside = bring_links_up(peer_namespace);
  if (!inside) return inside.error();
  return join_six_pn(*inside, network, address, kPeerPrefixLength);
}

Result<> Backbone::add_public_address(const boost::asio::ip::address& address) {
  // On the loopback, so that it is no source for what leaves by a bridge (RFC 6724 5, rule 5).
  return netlink_.add_address(kLoopback, address, address.is_v4() ? 32 : 128);
}

Result<> Backbone::detach(const SixPnNetwork& network, const GuestNetwork& guest) {
  if (auto done = netlink_.delete_link(guest.veth); !done) return done;
  auto bridge = netlink_.index_of(network.bridge);
  if (!bridge) return bridge.error();
  return netlink_.remove_address(*bridge, guest.gateway(), kGuestIpv4PrefixLength);
}

}  // namespace flylocal::netns
