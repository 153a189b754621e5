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

address_v6 network_prefix(NetworkNumber network) { return assemble(network, 0, 0, 0); }

address_v6 six_pn_address(NetworkNumber network, std::string_view region, std::uint32_t machine_part) {
  return assemble(network, kHostPrefix | (hash(region) & 0xfff), machine_part, 2);
}

address_v6 peer_address(NetworkNumber network) { return assemble(network, kHostPrefix | 1, 0x0000000a, 2); }

boost::asio::ip::address_v4 private_ipv4(std::uint32_t block) {
  return boost::asio::ip::address_v4((172u << 24) | (19u << 16) | (block * 8 + 2));
}

}  // namespace flylocal::platform
