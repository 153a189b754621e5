#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "dns/message.hpp"
#include "dns/zone.hpp"

namespace flylocal::dns::fuzz {

inline constexpr NetworkId kNetwork{0x18};

/// Of a machine in iad.
inline boost::asio::ip::address_v6 machine_address() { return boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2"); }

/// A world that has every kind of name: machines that are started and that are not, in several regions and groups, with
/// metadata; an app whose answers do not fit a datagram; peers, Flycast, the API, public hosts; and another network.
inline World world() {
  const auto address = [](const char* text) { return boost::asio::ip::make_address_v6(text); };
  World world;
  Network& network = world.networks.emplace_back();
  network.id = kNetwork;
  network.client_region = "ams";
  network.api = address("fdaa:0:18::4");
  network.peers = {{"laptop", address("fdaa:0:18:a7b:7::102")}};

  App& web = network.apps.emplace_back();
  web.name = "web";
  web.flycast = {address("fdaa:0:18:0:1::2")};
  web.machines.push_back({"3d8d413b29d089", "iad", "app", machine_address(), MachineState::started,
                          {{"fly_process_group", "app"}, {"role", "primary"}}});
  web.machines.push_back({"683d314fdd4d68", "lhr", "worker", address("fdaa:0:18:a7b:7d:f066:b83c:2"), MachineState::not_started, {}});
  App& asleep = network.apps.emplace_back();
  asleep.name = "asleep";
  asleep.machines.push_back({"568323e9b54dd8", "ams", "app", address("fdaa:0:18:a7b:7d:f066:b83d:2"), MachineState::not_started, {}});
  App& crowd = network.apps.emplace_back();
  crowd.name = "crowd";
  constexpr int kMachines = 100;
  for (int i = 0; i < kMachines; ++i) {
    crowd.machines.push_back({std::to_string(10000000000000 + i), i % 2 ? "iad" : "ams", "app", address("fdaa:0:18:a7b:7d:f066:b83e:2"),
                              MachineState::started, {}});
  }

  Network& other = world.networks.emplace_back();
  other.id = NetworkId{0x19};
  other.apps.emplace_back().name = "far";

  world.public_hosts = {{"web.fly.dev", boost::asio::ip::make_address_v4("127.0.0.1"), address("::1")},
                        {"www.example.com", boost::asio::ip::make_address_v4("127.0.0.1"), {}}};
  world.nearest = std::make_shared<const NearestRegions>(
      NearestRegions{{"ams", {"ams", "lhr", "iad"}}, {"iad", {"iad", "lhr", "ams"}}, {"lhr", {"lhr", "ams", "iad"}}});
  return world;
}

inline void require(bool holds) {
  if (!holds) std::abort();
}

/// An input is one octet of options, two that give the length of a query, the query, and then an upstream's reply.
struct Input {
  std::uint8_t options = 0;
  std::span<const std::uint8_t> query, reply;
};

inline std::optional<Input> split(std::span<const std::uint8_t> octets) {
  constexpr std::size_t kPrefix = 3;
  if (octets.size() < kPrefix) return {};
  const std::size_t size = std::min<std::size_t>(get_u16(octets, 1), octets.size() - kPrefix);
  return Input{octets[0], octets.subspan(kPrefix, size), octets.subspan(kPrefix + size)};
}

}  // namespace flylocal::dns::fuzz
