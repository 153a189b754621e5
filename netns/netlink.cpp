#include "netns/netlink.hpp"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/inet.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>

#include <linux/ip.h>

namespace flylocal::netns {
namespace {

template <auto Put>
struct PutWith {
  template <class T>
  void operator()(T* object) const {
    Put(object);
  }
};
using LinkPtr = std::unique_ptr<rtnl_link, PutWith<rtnl_link_put>>;
using AddressPtr = std::unique_ptr<rtnl_addr, PutWith<rtnl_addr_put>>;
using NlAddressPtr = std::unique_ptr<nl_addr, PutWith<nl_addr_put>>;
using RoutePtr = std::unique_ptr<rtnl_route, PutWith<rtnl_route_put>>;
using RulePtr = std::unique_ptr<rtnl_rule, PutWith<rtnl_rule_put>>;

/// libnl turns the kernel's errno into a code of its own; the few that matter are turned back for the caller.
Error netlink_error(std::string act, int nl_code) {
  std::errc code = std::errc::io_error;
  switch (-nl_code) {
    case NLE_PERM:
    case NLE_NOACCESS: code = std::errc::operation_not_permitted; break;
    case NLE_OPNOTSUPP: code = std::errc::operation_not_supported; break;
    case NLE_EXIST: code = std::errc::file_exists; break;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND: code = std::errc::no_such_device; break;
    case NLE_NOMEM: code = std::errc::not_enough_memory; break;
    default: break;
  }
  return {fmt::format("{}: {}", act, nl_geterror(nl_code)), std::make_error_code(code)};
}

Result<> checked(int nl_code, std::string act) {
  if (nl_code < 0) return netlink_error(std::move(act), nl_code);
  return {};
}

NlAddressPtr nl_address(const boost::asio::ip::address& address, int prefix_length) {
  NlAddressPtr result;
  if (address.is_v4()) {
    auto bytes = address.to_v4().to_bytes();
    result.reset(nl_addr_build(AF_INET, bytes.data(), bytes.size()));
  } else {
    auto bytes = address.to_v6().to_bytes();
    result.reset(nl_addr_build(AF_INET6, bytes.data(), bytes.size()));
  }
  nl_addr_set_prefixlen(result.get(), prefix_length);
  return result;
}

}  // namespace

void Netlink::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<Netlink> Netlink::open() {
  Netlink netlink(nl_socket_alloc());
  if (!netlink.socket_) return Error{"allocate a netlink socket: out of memory"};
  // libnl opens the socket close-on-exec.
  if (int code = nl_connect(netlink.socket_.get(), NETLINK_ROUTE); code < 0)
    return netlink_error("open a route netlink socket", code);
  return netlink;
}

Result<LinkIndex> Netlink::create_bridge(const std::string& name, int mtu) {
  LinkPtr link(rtnl_link_bridge_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_mtu(link.get(), static_cast<unsigned>(mtu));
  rtnl_link_set_flags(link.get(), IFF_UP);
  // Left to itself a bridge takes its lowest port's address, so that it changes when a port comes or goes; the other
  // ports would go on sending to the old one, and what is not addressed to the bridge is dropped.
  constexpr unsigned char kLocalAddress[] = {0x02, 0x00, 0xfd, 0xaa, 0x00, 0x03};
  NlAddressPtr address(nl_addr_build(AF_LLC, kLocalAddress, sizeof kLocalAddress));
  rtnl_link_set_addr(link.get(), address.get());
  if (auto done = checked(rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL), "create bridge " + name);
      !done)
    return done.error();
  return index_of(name);
}

Result<> Netlink::create_veth(const Veth& veth, const NetworkNamespace& peer_namespace) {
  LinkPtr link(rtnl_link_veth_alloc());
  rtnl_link_set_name(link.get(), veth.name.c_str());
  rtnl_link_set_mtu(link.get(), static_cast<unsigned>(veth.mtu));
  rtnl_link_set_master(link.get(), static_cast<int>(veth.bridge));
  rtnl_link_set_flags(link.get(), IFF_UP);
  // The peer has a reference count of its own.
  LinkPtr peer(rtnl_link_veth_get_peer(link.get()));
  rtnl_link_set_name(peer.get(), veth.peer_name.c_str());
  rtnl_link_set_mtu(peer.get(), static_cast<unsigned>(veth.mtu));
  rtnl_link_set_ns_fd(peer.get(), peer_namespace.fd());
  NlAddressPtr address(nl_addr_build(AF_LLC, veth.peer_hardware_address.data(), veth.peer_hardware_address.size()));
  rtnl_link_set_addr(peer.get(), address.get());
  return checked(rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
                 fmt::format("create veth {} with peer {}", veth.name, veth.peer_name));
}

Result<> Netlink::delete_link(const std::string& name) {
  LinkPtr link(rtnl_link_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  int code = rtnl_link_delete(socket_.get(), link.get());
  if (code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND) return {};
  return checked(code, "delete link " + name);
}

Result<LinkIndex> Netlink::index_of(const std::string& name) {
  rtnl_link* found = nullptr;
  int code = rtnl_link_get_kernel(socket_.get(), 0, name.c_str(), &found);
  LinkPtr link(found);
  if (code < 0) return netlink_error("find link " + name, code);
  return LinkIndex{rtnl_link_get_ifindex(link.get())};
}

Result<> Netlink::set_up(LinkIndex index) {
  LinkPtr original(rtnl_link_alloc()), change(rtnl_link_alloc());
  rtnl_link_set_ifindex(original.get(), static_cast<int>(index));
  rtnl_link_set_flags(change.get(), IFF_UP);
  return checked(rtnl_link_change(socket_.get(), original.get(), change.get(), 0),
                 fmt::format("set link {} up", static_cast<int>(index)));
}

Result<> Netlink::enable_ipv4_forwarding(LinkIndex index) {
  LinkPtr original(rtnl_link_alloc()), change(rtnl_link_alloc());
  rtnl_link_set_ifindex(original.get(), static_cast<int>(index));
  // Through netlink rather than /proc/sys, which containers mount read-only.
  rtnl_link_inet_set_conf(change.get(), IPV4_DEVCONF_FORWARDING, 1);
  return checked(rtnl_link_change(socket_.get(), original.get(), change.get(), 0),
                 fmt::format("enable forwarding on link {}", static_cast<int>(index)));
}

Result<> Netlink::add_address(LinkIndex link, const boost::asio::ip::address& address, int prefix_length) {
  AddressPtr object(rtnl_addr_alloc());
  NlAddressPtr local = nl_address(address, prefix_length);
  rtnl_addr_set_ifindex(object.get(), static_cast<int>(link));
  rtnl_addr_set_local(object.get(), local.get());
  if (address.is_v6()) rtnl_addr_set_flags(object.get(), IFA_F_NODAD);
  return checked(rtnl_addr_add(socket_.get(), object.get(), NLM_F_CREATE | NLM_F_EXCL),
                 fmt::format("add address {}/{}", address.to_string(), prefix_length));
}

Result<> Netlink::remove_address(LinkIndex link, const boost::asio::ip::address& address, int prefix_length) {
  AddressPtr object(rtnl_addr_alloc());
  NlAddressPtr local = nl_address(address, prefix_length);
  rtnl_addr_set_ifindex(object.get(), static_cast<int>(link));
  rtnl_addr_set_local(object.get(), local.get());
  return checked(rtnl_addr_delete(socket_.get(), object.get(), 0),
                 fmt::format("remove address {}/{}", address.to_string(), prefix_length));
}

Result<> Netlink::add_route(const Route& route) {
  RoutePtr object(rtnl_route_alloc());
  NlAddressPtr destination = nl_address(route.destination, route.prefix_length);
  rtnl_route_set_family(object.get(), route.destination.is_v4() ? AF_INET : AF_INET6);
  rtnl_route_set_dst(object.get(), destination.get());
  if (route.kind == Route::Kind::kLocal) {
    rtnl_route_set_type(object.get(), RTN_LOCAL);
    rtnl_route_set_table(object.get(), RT_TABLE_LOCAL);
    rtnl_route_set_scope(object.get(), RT_SCOPE_HOST);
  } else {
    rtnl_route_set_scope(object.get(), route.gateway || route.destination.is_v6() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  }
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(route.link));
  if (route.gateway) {
    NlAddressPtr gateway = nl_address(*route.gateway, route.gateway->is_v4() ? 32 : 128);
    rtnl_route_nh_set_gateway(hop, gateway.get());
  }
  rtnl_route_add_nexthop(object.get(), hop);  // the route owns the hop from here
  return checked(rtnl_route_add(socket_.get(), object.get(), NLM_F_CREATE | NLM_F_EXCL),
                 fmt::format("add route {}/{}", route.destination.to_string(), route.prefix_length));
}

Result<> Netlink::refuse_forwarding_from(const std::string& interface_name) {
  RulePtr rule(rtnl_rule_alloc());
  rtnl_rule_set_family(rule.get(), AF_INET);
  rtnl_rule_set_iif(rule.get(), interface_name.c_str());
  rtnl_rule_set_action(rule.get(), FR_ACT_UNREACHABLE);
  // After the local table (0), before the main one (32766).
  rtnl_rule_set_prio(rule.get(), 100);
  return checked(rtnl_rule_add(socket_.get(), rule.get(), NLM_F_CREATE | NLM_F_EXCL),
                 "refuse forwarding from " + interface_name);
}

}  // namespace flylocal::netns
