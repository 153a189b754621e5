#include "dns/resolv_conf.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>

#include "dns/name.hpp"

namespace flylocal::dns {
namespace {

namespace ip = boost::asio::ip;

constexpr std::size_t kMaxNameservers = 3;  // MAXNS of resolv.conf(5)
constexpr std::uint16_t kDnsPort = 53;
constexpr std::string_view kBlank = " \t\r";

/// Whether the sandbox answers there: 6PN and the platform's own addresses (platform.md 2.1).
bool is_ours(const ip::address& address) {
  if (!address.is_v6()) return false;
  const auto octets = address.to_v6().to_bytes();
  return octets[0] == 0xFD && octets[1] == 0xAA;
}

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

std::vector<std::string> take_domains(std::string_view line, std::size_t most) {
  std::vector<std::string> domains;
  for (auto word = take_word(line); !word.empty() && domains.size() < most; word = take_word(line)) {
    const auto name = Name::from_text(word);
    if (!name || name->wire().size() == 1) continue;
    domains.push_back(name->text());
    domains.back().pop_back();
  }
  return domains;
}

Error bad_upstream(std::string_view text, std::string_view reason) {
  return {fmt::format("DNS upstream {:?}: {}; allowed: ADDRESS, ADDRESS:PORT and [ADDRESS]:PORT, e.g. 192.0.2.53, 127.0.0.1:5353, "
                      "[2001:db8::53]:53, fe80::1%eth0", text, reason)};
}

}  // namespace

unsigned host_interface_index(const std::string& interface_name) { return ::if_nametoindex(interface_name.c_str()); }

ResolvConf parse_resolv_conf(std::string_view text, const InterfaceIndex& interface_index) {
  ResolvConf conf;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    // A comment's first word is no keyword, so comments need no rule of their own.
    const auto keyword = take_word(line);
    if (keyword == "nameserver" && conf.upstreams.size() < kMaxNameservers) {
      const auto address = parse_address(take_word(line), interface_index);
      if (address && !is_ours(*address)) conf.upstreams.emplace_back(*address, kDnsPort);
    } else if (keyword == "search") {
      conf.search = take_domains(line, std::string_view::npos);
    } else if (keyword == "domain") {
      conf.search = take_domains(line, 1);
    }
  }
  return conf;
}

Result<ip::udp::endpoint> parse_upstream(std::string_view text, const InterfaceIndex& interface_index) {
  std::string_view address_text = text;
  std::string_view rest;  // ":PORT" or nothing
  const auto colon = text.find(':');
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return bad_upstream(text, "the bracket is not closed");
    address_text = text.substr(1, bracket - 1);
    rest = text.substr(bracket + 1);
    if (address_text.find(':') == std::string_view::npos) return bad_upstream(text, "only an IPv6 address is put in brackets");
  } else if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    // An IPv6 address has two colons at least.
    address_text = text.substr(0, colon);
    rest = text.substr(colon);
  }

  const auto address = parse_address(address_text, interface_index);
  if (!address) {
    const bool has_zone = address_text.find('%') != std::string_view::npos;
    return bad_upstream(text, has_zone ? "is no IPv6 address with an interface of this host" : "is no IP address");
  }
  if (address->is_multicast()) return bad_upstream(text, "is a multicast address");
  if (address->is_v6() && address->to_v6().is_link_local() && address->to_v6().scope_id() == 0)
    return bad_upstream(text, "a link-local address needs its interface");
  if (is_ours(*address)) return bad_upstream(text, "fdaa::/16 is the sandbox itself, which cannot be its own upstream");

  std::uint16_t port = kDnsPort;
  if (!rest.empty()) {
    const auto digits = rest.substr(1);
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (rest.front() != ':' || failed != std::errc{} || end != digits.data() + digits.size() || port == 0)
      return bad_upstream(text, "the port is no number from 1 to 65535");
  }
  return ip::udp::endpoint(*address, port);
}

}  // namespace flylocal::dns
