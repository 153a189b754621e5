#pragma once

#include <boost/asio/ip/address_v6.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/app_zone.hpp"
#include "dns/world.hpp"

namespace flylocal::dns {

/// Who has which address in one network: where an asker stands, and what an address is called. Knows nothing of what is
/// started, so it changes with the machines that there are and not with their states. Immutable.
class AddressBook {
 public:
  using Apps = std::vector<std::shared_ptr<const AppZone>>;

  /// `with_names`: target_of() and leads_to_names() know the addresses of machines, Flycast and peers.
  AddressBook(const Apps& apps, const std::vector<Peer>& peers, bool with_names);

  /// The region of the machine with this address, in lower case; null when it is no machine's.
  const std::string* region_of(const boost::asio::ip::address_v6& address) const;

  /// The lower-case wire form of the name of the address with these 32 hexadecimal digits (each 0 to 15, the most
  /// significant first); empty when it has none.
  std::string_view target_of(std::span<const std::uint8_t> nibbles) const;
  /// Whether an address that has a name starts with these digits.
  bool leads_to_names(std::span<const std::uint8_t> nibbles) const;

  /// Whether books of the one and of the other apps would be the same, for the same peers.
  static bool is_same(const Apps& left, const Apps& right);

 private:
  using Octets = boost::asio::ip::address_v6::bytes_type;
  struct Place {
    Octets address;
    std::string region;
  };
  struct Owner {
    Octets address;
    std::string target;
  };
  const Owner* first_with(std::span<const std::uint8_t> nibbles) const;

  std::vector<Place> places_;  // both sorted by address, each address once
  std::vector<Owner> owners_;
};

}  // namespace flylocal::dns
