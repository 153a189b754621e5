#include <arpa/inet.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "proxy/proxy_protocol.hpp"

using namespace flylocal::proxy;
namespace asio = boost::asio;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Takes numbers from the input; zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  unsigned char octet() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  std::uint16_t port() {
    const unsigned high = octet(), low = octet();
    return static_cast<std::uint16_t>(high << 8 | low);
  }
  asio::ip::tcp::endpoint endpoint() {
    const bool is_v4 = octet() % 2 == 0;
    asio::ip::address_v4::bytes_type four;
    asio::ip::address_v6::bytes_type sixteen;
    for (auto& one : four) one = octet();
    for (auto& one : sixteen) one = is_v4 ? 0 : octet();
    if (is_v4) return {asio::ip::address_v4(four), port()};
    // The address of an IPv4 client at an IPv6 socket, now and then.
    if (four[0] % 4 == 0) return {asio::ip::make_address_v6(asio::ip::v4_mapped, asio::ip::address_v4(four)), port()};
    return {asio::ip::address_v6(sixteen, four[1]), port()};
  }

 private:
  std::string_view rest_;
};

/// What inet_pton(3) makes of the text, which shares nothing with what wrote it.
std::string octets_of(const std::string& text, int family) {
  std::string octets(family == AF_INET ? 4 : 16, '\0');
  require(::inet_pton(family, text.c_str(), octets.data()) == 1);
  return octets;
}

/// The octets that the machine is to be told.
std::string octets_of(asio::ip::address address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  const auto text = [](const auto& bytes) { return std::string(bytes.begin(), bytes.end()); };
  return address.is_v4() ? text(address.to_v4().to_bytes()) : text(address.to_v6().to_bytes());
}

std::uint16_t port_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  require(error == std::errc{} && end == text.data() + text.size());
  return port;
}

/// proxy-protocol.txt 2.1
void check_line(const std::string& line, const asio::ip::tcp::endpoint& client, const asio::ip::tcp::endpoint& dialled) {
  require(line.size() <= 107 && line.ends_with("\r\n") && line.find_first_of("\r\n") == line.size() - 2);
  std::vector<std::string> words(1);
  for (const char c : line.substr(0, line.size() - 2)) {
    if (c == ' ') words.emplace_back();
    else words.back() += c;
  }
  require(words.at(0) == "PROXY");
  const std::string from = octets_of(client.address()), to = octets_of(dialled.address());
  if (from.size() != to.size()) return require(words.at(1) == "UNKNOWN");
  require(words.size() == 6 && words[1] == (from.size() == 4 ? "TCP4" : "TCP6"));
  const int family = from.size() == 4 ? AF_INET : AF_INET6;
  require(octets_of(words[2], family) == from && octets_of(words[3], family) == to);
  require(port_of(words[4]) == client.port() && port_of(words[5]) == dialled.port());
}

/// proxy-protocol.txt 2.2
void check_block(const std::string& block, const asio::ip::tcp::endpoint& client, const asio::ip::tcp::endpoint& dialled) {
  require(block.size() >= 16 && block.starts_with(std::string_view("\r\n\r\n\0\r\nQUIT\n", 12)));
  const auto octet = [&block](std::size_t at) { return static_cast<unsigned char>(block.at(at)); };
  const std::size_t size = static_cast<std::size_t>(octet(14)) << 8 | octet(15);
  require(block.size() == 16 + size && octet(12) >> 4 == 2);
  const std::string from = octets_of(client.address()), to = octets_of(dialled.address());
  if (from.size() != to.size()) return require(size == 0 && octet(13) == 0);
  require(octet(12) == 0x21 && octet(13) == (from.size() == 4 ? 0x11 : 0x21));
  require(block.substr(16, 2 * from.size()) == from + to);
  const std::size_t ports = 16 + 2 * from.size();
  require(block.size() == ports + 4);
  require((octet(ports) << 8 | octet(ports + 1)) == client.port() && (octet(ports + 2) << 8 | octet(ports + 3)) == dialled.port());
}

}  // namespace

/// Whatever the addresses are, the header of either version says them and nothing else, as a reader of its own finds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const asio::ip::tcp::endpoint client = input.endpoint(), dialled = input.endpoint();
  check_line(proxy_protocol_header(ProxyProtocolVersion::v1, client, dialled), client, dialled);
  check_block(proxy_protocol_header(ProxyProtocolVersion::v2, client, dialled), client, dialled);
  return 0;
}
