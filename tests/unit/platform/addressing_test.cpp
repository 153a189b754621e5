#include "flylocal/platform/addressing.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace flylocal::platform;

TEST_CASE("a network's number comes from its names alone, so it is the same on every machine") {
  // Fixed for good: another number would move every machine of an existing project.
  CHECK(network_number("personal", "default", 0) == 0x77f7a);
  CHECK(network_number("personal", "staging", 0) == 0xd2587);
  CHECK(network_number("acme", "default", 0) == 0x9f9a9);
}

TEST_CASE("a further attempt gives another number") {
  std::set<NetworkNumber> numbers;
  for (unsigned attempt = 0; attempt < 50; ++attempt) numbers.insert(network_number("personal", "default", attempt));
  CHECK(numbers.size() == 50);
}

TEST_CASE("network numbers have 20 bits and are never the resolver's network") {
  for (int i = 0; i < 5000; ++i) {
    const NetworkNumber number = network_number("organization", "network-" + std::to_string(i), 0);
    REQUIRE(number >= 1);
    REQUIRE(number <= 0xfffff);
  }
}

TEST_CASE("a 6PN address is the network, a7b and the region, the machine, and 2") {
  struct Case {
    NetworkNumber network;
    const char* region;
    std::uint32_t machine;
    const char* address;
  };
  const Case cases[] = {
      {0x00000018, "iad", 0x007df066, "fdaa:0:18:a7b:ec1:7d:f066:2"},
      {0x00077f7a, "lhr", 0xdb43d3c6, "fdaa:7:7f7a:a7b:731:db43:d3c6:2"},
      {0x000fffff, "syd", 0, "fdaa:f:ffff:a7b:a9f::2"},
  };
  for (const Case& c : cases) {
    INFO(c.address);
    CHECK(six_pn_address(c.network, c.region, c.machine) == boost::asio::ip::make_address_v6(c.address));
  }
}

TEST_CASE("a network's prefix, its machines and its peer share their first 48 bits, and only they") {
  const auto prefix_of = [](const boost::asio::ip::address_v6& address) {
    const auto bytes = address.to_bytes();
    return std::vector<unsigned char>(bytes.begin(), bytes.begin() + 6);
  };
  const NetworkNumber network = 0x459a1;
  CHECK(network_prefix(network) == boost::asio::ip::make_address_v6("fdaa:4:59a1::"));
  CHECK(peer_address(network) == boost::asio::ip::make_address_v6("fdaa:4:59a1:a7b:1:0:a:2"));
  CHECK(prefix_of(six_pn_address(network, "iad", 7)) == prefix_of(network_prefix(network)));
  CHECK(prefix_of(peer_address(network)) == prefix_of(network_prefix(network)));
  CHECK(prefix_of(network_prefix(network + 1)) != prefix_of(network_prefix(network)));
}

TEST_CASE("a private IPv4 address is the third of its /29 in 172.19.0.0/16") {
  struct Case {
    std::uint32_t block;
    const char* address;
  };
  const Case cases[] = {
      {0, "172.19.0.2"}, {1, "172.19.0.10"}, {31, "172.19.0.250"}, {32, "172.19.1.2"}, {kIpv4Blocks - 1, "172.19.255.250"},
  };
  for (const Case& c : cases) CHECK(private_ipv4(c.block).to_string() == c.address);
}

TEST_CASE("an app's number comes from its name, whatever runs beside it") {
  const auto alone = app_numbers({"web"});
  const auto together = app_numbers({"api", "web", "worker"});
  CHECK(alone.at("web") == together.at("web"));
  CHECK(app_numbers({}).empty());
}

TEST_CASE("apps have different numbers, and none is an end of the range") {
  std::set<std::string> apps;
  for (int i = 0; i < 5000; ++i) apps.insert("app-" + std::to_string(i));
  std::set<AppNumber> seen;
  for (const auto& [app, number] : app_numbers(apps)) {
    INFO(app);
    REQUIRE(number >= 1);
    REQUIRE(number <= 65534);
    REQUIRE(seen.insert(number).second);
  }
  CHECK(seen.size() == 5000);
}

TEST_CASE("an app's addresses hold its number") {
  CHECK(flycast_address(0x2045b, 0x11) == boost::asio::ip::make_address_v6("fdaa:2:45b:0:1::11"));
  CHECK(flycast_address(0x18, 0xfffe) == boost::asio::ip::make_address_v6("fdaa:0:18:0:1::fffe"));
  CHECK(public_ipv4(1).to_string() == "198.18.0.1");
  CHECK(public_ipv4(65534).to_string() == "198.18.255.254");
  CHECK(public_ipv6(0x11) == boost::asio::ip::make_address_v6("2001:2::11"));
  CHECK(public_ipv6(0xabcd) == boost::asio::ip::make_address_v6("2001:2::abcd"));
}
