#include "dns/resolv_conf.hpp"

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>

namespace flylocal::dns {
namespace {

namespace ip = boost::asio::ip;

constexpr std::size_t kMaxNameservers = 3;  // MAXNS of resolv.conf(5)
constexpr std::uint16_t kDnsPort = 53;
constexpr std::string_view kBlank = " \t\r";

/// Takes the next word off `line`.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  auto word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

/// A zone of an address (RFC 4007 11): an index or the name of an interface. 0: none such.
unsigned zone_index(std::string_view zone, const InterfaceIndex& interface_index) {
  unsigned index = 0;
  auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
  if (error == std::errc{} && end == zone.data() + zone.size()) return index;
  return interface_index(std::string(zone));
}

std::optional<ip::address> parse_address(std::string_view word, const InterfaceIndex& interface_index) {
  boost::system::error_code error;
  auto percent = word.find('%');
  auto address = ip::make_address(word.substr(0, percent), error);
  if (error) return std::nullopt;
  if (percent == std::string_view::npos) return address;
  if (!address.is_v6()) return std::nullopt;
  unsigned index = zone_index(word.substr(percent + 1), interface_index);
  if (index == 0) return std::nullopt;
  auto v6 = address.to_v6();
  v6.scope_id(index);
  return v6;
}

}  // namespace

std::vector<ip::udp::endpoint> parse_resolv_conf(std::string_view text,
                                                 const InterfaceIndex& interface_index) {
  static const auto own_address = ip::make_address("fdaa::3");
  std::vector<ip::udp::endpoint> upstreams;
  while (!text.empty() && upstreams.size() < kMaxNameservers) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    // A comment's first word is no keyword, so comments need no rule of their own.
    if (take_word(line) != "nameserver") continue;
    auto address = parse_address(take_word(line), interface_index);
    if (address && *address != own_address) upstreams.emplace_back(*address, kDnsPort);
  }
  return upstreams;
}

}  // namespace flylocal::dns
