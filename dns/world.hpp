#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What the DNS is told of the world, as plain values that can be compared.
namespace flylocal::dns {

/// Which 6PN network: bits 16 to 47 of its addresses (platform.md 2.1).
enum class NetworkId : std::uint32_t {};

enum class MachineState { started, not_started };

/// What the DNS knows of a machine.
struct Machine {
  std::string id;  ///< 14 lower-case hexadecimal digits on the platform
  std::string region;
  std::string process_group;
  boost::asio::ip::address_v6 six_pn;
  MachineState state = MachineState::not_started;
  std::map<std::string, std::string> metadata;

  bool operator==(const Machine&) const = default;
};

struct App {
  std::string name;
  std::vector<Machine> machines;                     ///< in the order of their creation: answers keep it
  std::vector<boost::asio::ip::address_v6> flycast;  ///< the answers of `<app>.flycast`

  bool operator==(const App&) const = default;
};

/// A named WireGuard peer.
struct Peer {
  std::string name;
  boost::asio::ip::address_v6 address;

  bool operator==(const Peer&) const = default;
};

/// One 6PN network and what can be seen from it. Apps have distinct names, and so have peers.
struct Network {
  NetworkId id{};
  std::vector<App> apps;
  std::vector<Peer> peers;
  std::optional<boost::asio::ip::address_v6> api;  ///< `_api.internal`
  std::string client_region;  ///< where an asker that is no machine of the network stands, for "nearest"

  bool operator==(const Network&) const = default;
};

/// A public name of a local app: `<app>.fly.dev` or a custom domain. The same from every network.
struct PublicHost {
  std::string name;
  std::optional<boost::asio::ip::address_v4> ipv4;
  std::optional<boost::asio::ip::address_v6> ipv6;

  bool operator==(const PublicHost&) const = default;
};

/// How several addresses of one name follow each other. Those of `top<N>.nearest.of` are always sorted by distance.
enum class AnswerOrder {
  fixed,   ///< the order of creation
  random,  ///< another permutation in each answer
};

/// Each region's list of all regions, nearest first.
using NearestRegions = std::map<std::string, std::vector<std::string>>;

struct World {
  std::vector<Network> networks;
  std::vector<PublicHost> public_hosts;
  AnswerOrder order = AnswerOrder::fixed;
  bool reverse_names = false;  ///< whether 6PN addresses have PTR records
  std::shared_ptr<const NearestRegions> nearest;

  bool operator==(const World&) const = default;
};

}  // namespace flylocal::dns
