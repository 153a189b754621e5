#include "dns/address_book.hpp"

#include <algorithm>

#include "dns/label_text.hpp"

namespace flylocal::dns {
namespace {

constexpr auto kByAddress = [](const auto& left, const auto& right) { return left.address < right.address; };
constexpr auto kSameAddress = [](const auto& left, const auto& right) { return left.address == right.address; };

/// Of several entries for one address the first stays.
template <class Entry>
void sort_by_address(std::vector<Entry>& entries) {
  std::stable_sort(entries.begin(), entries.end(), kByAddress);
  entries.erase(std::unique(entries.begin(), entries.end(), kSameAddress), entries.end());
  entries.shrink_to_fit();
}

std::uint8_t nibble_of(const boost::asio::ip::address_v6::bytes_type& address, std::size_t index) {
  return index % 2 == 0 ? address[index / 2] >> 4 : address[index / 2] & 0x0F;
}

bool is_same_place(const Machine& left, const Machine& right) {
  return left.six_pn == right.six_pn && left.id == right.id && left.region == right.region;
}

bool is_same_app(const std::shared_ptr<const AppZone>& left_zone, const std::shared_ptr<const AppZone>& right_zone) {
  if (left_zone == right_zone) return true;
  const App& left = left_zone->app();
  const App& right = right_zone->app();
  return left.name == right.name && left.flycast == right.flycast &&
         std::equal(left.machines.begin(), left.machines.end(), right.machines.begin(), right.machines.end(), is_same_place);
}

}  // namespace

AddressBook::AddressBook(const Apps& apps, const std::vector<Peer>& peers, bool with_names) {
  // What no query can spell has no name that could be given.
  auto own = [this](const boost::asio::ip::address_v6& address, std::initializer_list<std::string_view> labels) {
    if (std::all_of(labels.begin(), labels.end(), is_label))
      owners_.push_back({address.to_bytes(), wire_key(labels) + '\0'});
  };
  for (const auto& zone : apps) {
    const App& app = zone->app();
    for (const auto& machine : app.machines) {
      places_.push_back({machine.six_pn.to_bytes(), lower_case(std::string_view(machine.region))});
      if (with_names) own(machine.six_pn, {machine.id, "vm", app.name, "internal"});
    }
    if (!with_names) continue;
    for (const auto& address : app.flycast) own(address, {app.name, "flycast"});
  }
  if (with_names) {
    for (const auto& peer : peers) own(peer.address, {peer.name, "_peer", "internal"});
  }
  sort_by_address(places_);
  sort_by_address(owners_);
}

const std::string* AddressBook::region_of(const boost::asio::ip::address_v6& address) const {
  const auto octets = address.to_bytes();
  const auto found = std::lower_bound(places_.begin(), places_.end(), octets,
                                      [](const Place& place, const Octets& wanted) { return place.address < wanted; });
  return found == places_.end() || found->address != octets ? nullptr : &found->region;
}

std::string_view AddressBook::target_of(std::span<const std::uint8_t> nibbles) const {
  const Owner* owner = first_with(nibbles);
  return owner ? std::string_view(owner->target) : std::string_view{};
}

bool AddressBook::leads_to_names(std::span<const std::uint8_t> nibbles) const {
  return first_with(nibbles) != nullptr;
}

const AddressBook::Owner* AddressBook::first_with(std::span<const std::uint8_t> nibbles) const {
  Octets lowest{};
  for (std::size_t i = 0; i < nibbles.size(); ++i) {
    lowest[i / 2] = static_cast<std::uint8_t>(lowest[i / 2] | (i % 2 == 0 ? nibbles[i] << 4 : nibbles[i]));
  }
  const auto found = std::lower_bound(owners_.begin(), owners_.end(), lowest,
                                      [](const Owner& owner, const Octets& wanted) { return owner.address < wanted; });
  if (found == owners_.end()) return nullptr;
  for (std::size_t i = 0; i < nibbles.size(); ++i) {
    if (nibble_of(found->address, i) != nibbles[i]) return nullptr;
  }
  return &*found;
}

bool AddressBook::is_same(const Apps& left, const Apps& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), is_same_app);
}

}  // namespace flylocal::dns
