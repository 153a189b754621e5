#include "proxy/proxy_protocol.hpp"

#include <fmt/format.h>

namespace flylocal::proxy {
namespace {

using asio::ip::address;
using asio::ip::tcp;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr char kVersion2Proxy = 0x21, kVersion2Local = 0x20;
constexpr char kTcpOverIpv4 = 0x11, kTcpOverIpv6 = 0x21, kUnspecified = 0x00;

address plain(const address& given) {
  if (given.is_v6() && given.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, given.to_v6());
  // A scope is this host's, and means nothing to the machine.
  return given.is_v6() ? asio::ip::make_address_v6(given.to_v6().to_bytes()) : given;
}

void append_number(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8 & 0xff);
  out += static_cast<char>(number & 0xff);
}

void append_address(std::string& out, const address& given) {
  const auto append = [&out](const auto& bytes) { out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); };
  if (given.is_v4()) append(given.to_v4().to_bytes());
  else append(given.to_v6().to_bytes());
}

}  // namespace

std::string proxy_protocol_header(ProxyProtocolVersion version, const tcp::endpoint& client, const tcp::endpoint& dialled) {
  const address from = plain(client.address()), to = plain(dialled.address());
  const bool known = from.is_v4() == to.is_v4();
  if (version == ProxyProtocolVersion::v1) {
    if (!known) return "PROXY UNKNOWN\r\n";
    return fmt::format("PROXY {} {} {} {} {}\r\n", from.is_v4() ? "TCP4" : "TCP6", from.to_string(), to.to_string(), client.port(),
                       dialled.port());
  }
  std::string out(kSignature);
  if (!known) {
    out += {kVersion2Local, kUnspecified, 0, 0};
    return out;
  }
  constexpr std::size_t kIpv4Size = 12, kIpv6Size = 36;
  out += {kVersion2Proxy, from.is_v4() ? kTcpOverIpv4 : kTcpOverIpv6};
  append_number(out, from.is_v4() ? kIpv4Size : kIpv6Size);
  append_address(out, from);
  append_address(out, to);
  append_number(out, client.port());
  append_number(out, dialled.port());
  return out;
}

}  // namespace flylocal::proxy
