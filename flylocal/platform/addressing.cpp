#include "flylocal/platform/addressing.hpp"

#include <string>

namespace flylocal::platform {
namespace {

using boost::asio::ip::address_v6;

/// FNV-1a: small, the same everywhere, and no secret depends on it.
std::uint32_t hash(std::string_view text) {
  std::uint32_t value = 2166136261u;
  for (unsigned char c : text) value = (value ^ c) * 16777619u;
  return value;
}

address_v6 assemble(NetworkNumber network, std::uint32_t host_part, std::uint32_t machine_part, std::uint16_t last) {
  address_v6::bytes_type bytes{0xfd, 0xaa};
  auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<unsigned char>(value >> (24 - 8 * i));
  };
  put(2, network);
  put(6, host_part);
  put(10, machine_part);
  bytes[14] = static_cast<unsigned char>(last >> 8);
  bytes[15] = static_cast<unsigned char>(last);
  return address_v6(bytes);
}

constexpr std::uint32_t kHostPrefix = 0x0a7bu << 16;

}  // namespace

NetworkNumber network_number(std::string_view organization, std::string_view network, unsigned attempt) {
  std::string key(organization);
  key += '/';
  key += network;
  if (attempt > 0) key += "#" + std::to_string(attempt);
  // Real network numbers are small; 20 bits keep the addresses as short as the platform's. Zero is no network:
  // fdaa::/48 holds the resolver.
  const std::uint32_t number = hash(key) % 0xfffff;
  return number + 1;
}

std::map<std::string, AppNumber> app_numbers(const std::set<std::string>& apps) {
  std::map<std::string, AppNumber> numbers;
  std::set<AppNumber> taken;
  for (const std::string& app : apps) {
    std::string key = app;
    auto number = [&] { return static_cast<AppNumber>(hash(key) % 0xfffe + 1); };
    while (!taken.insert(number()).second) key += '#';
    numbers.emplace(app, number());
  }
  return numbers;
}

address_v6 network_prefix(NetworkNumber network) { return assemble(network, 0, 0, 0); }

address_v6 six_pn_address(NetworkNumber network, std::string_view region, std::uint32_t machine_part) {
  return assemble(network, kHostPrefix | (hash(region) & 0xfff), machine_part, 2);
}

address_v6 peer_address(NetworkNumber network) { return assemble(network, kHostPrefix | 1, 0x0000000a, 2); }

address_v6 flycast_address(NetworkNumber network, AppNumber app) { return assemble(network, 1, 0, app); }

boost::asio::ip::address_v4 public_ipv4(AppNumber app) { return boost::asio::ip::address_v4((198u << 24) | (18u << 16) | app); }

address_v6 public_ipv6(AppNumber app) {
  return address_v6({0x20, 0x01, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<unsigned char>(app >> 8), static_cast<unsigned char>(app)});
}

boost::asio::ip::address_v4 private_ipv4(std::uint32_t block) {
  return boost::asio::ip::address_v4((172u << 24) | (19u << 16) | (block * 8 + 2));
}

}  // namespace flylocal::platform
