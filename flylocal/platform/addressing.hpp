#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

/// Who gets which address (platform facts 1.1 and 2).
namespace flylocal::platform {

/// Bits 16 to 47 of a 6PN address: which network.
using NetworkNumber = std::uint32_t;

/// A network's number by its organization and name, so that it is the same on every machine and at every run.
/// `attempt` counts collisions with networks that exist already.
NetworkNumber network_number(std::string_view organization, std::string_view network, unsigned attempt);

/// The network's /48.
boost::asio::ip::address_v6 network_prefix(NetworkNumber network);

/// A machine's 6PN address: the network, a host part a7b:<region>, the machine's own 32 bits and ::2.
boost::asio::ip::address_v6 six_pn_address(NetworkNumber network, std::string_view region, std::uint32_t machine_part);

/// The 6PN address of the peer that flylocal itself is on each network (dig, proxy, probes): machine part 0:a,
/// as WireGuard peers have.
boost::asio::ip::address_v6 peer_address(NetworkNumber network);

/// Which app, in the addresses at which Fly Proxy takes traffic for it: 1 to 65534.
using AppNumber = std::uint16_t;

/// A number for each of the apps of a sandbox (fewer than 65534), by its name, so that it is the same at every run
/// whatever runs beside it; only where two names collide it depends on both.
std::map<std::string, AppNumber> app_numbers(const std::set<std::string>& apps);

/// An app's Flycast address: fdaa:<network>:0:1::<number> (platform facts 2.2).
boost::asio::ip::address_v6 flycast_address(NetworkNumber network, AppNumber app);

/// What stands for an app's public addresses inside a sandbox: 198.18.a.b and 2001:2::n. Both are of the ranges that
/// the internet keeps free for measurements (RFC 2544, RFC 5180), so that no real host is hidden by them.
boost::asio::ip::address_v4 public_ipv4(AppNumber app);
boost::asio::ip::address_v6 public_ipv6(AppNumber app);

/// How many machines have room in 172.19.0.0/16, a /29 each.
inline constexpr std::uint32_t kIpv4Blocks = 65536 / 8;

/// The private IPv4 address in a block: its third address, after the network's and the gateway's.
boost::asio::ip::address_v4 private_ipv4(std::uint32_t block);

}  // namespace flylocal::platform
