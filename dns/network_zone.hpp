#pragma once

#include <boost/asio/ip/address_v6.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns/address_book.hpp"
#include "dns/app_zone.hpp"
#include "dns/finding.hpp"
#include "dns/label_text.hpp"
#include "dns/name.hpp"
#include "dns/world.hpp"

namespace flylocal::dns {

/// The apex of the reverse zone, in wire form.
inline constexpr std::string_view kReverseApex{"\1a\1a\1d\1f\3ip6\4arpa", 18};
inline constexpr std::size_t kReverseApexLabels = 6;

/// The private zones as one network sees them: `internal.`, `flycast.` and the reverse zone of fdaa::/16. Immutable.
///
/// The names in the look-ups below are in lower case and lie in the zone that is searched; `labels` refers to `name`.
class NetworkZone {
 public:
  /// `nearest` may be null. What is the same in `previous`, which may be null, is shared with it.
  NetworkZone(Network network, std::shared_ptr<const NearestRegions> nearest, bool with_reverse_names,
              const NetworkZone* previous);

  /// `client` is who asks: what is nearest depends on where it stands.
  void find_internal(const Name& name, const Labels& labels, const boost::asio::ip::address_v6& client, Finding& finding) const;
  void find_flycast(const Labels& labels, Finding& finding) const;
  /// Only addresses whose name leads back to them have a PTR record.
  void find_reverse(const Labels& labels, Finding& finding) const;

  /// The app's zone; null when there is no such app. `name` is in lower case.
  const AppZone* app(std::string_view name) const;

 private:
  /// Where each app is in apps_, by its name in lower case.
  using AppIndex = std::unordered_map<std::string, std::uint32_t, KeyHash, std::equal_to<>>;
  enum class Listed { started, all };

  void make_apps(std::vector<App> apps, const NetworkZone* previous);
  void make_peers();
  /// `above` is what stands in front of `internal.`, in wire form without a root.
  void find_special(std::string_view above, Finding& finding) const;
  void find_nearest(const AppZone& zone, std::size_t most, const boost::asio::ip::address_v6& client, Finding& finding) const;
  void list_apps(Finding& finding) const;
  void list_instances(Listed listed, Finding& finding) const;
  bool has_address(std::string_view target_wire, const boost::asio::ip::address_v6::bytes_type& address) const;

  std::vector<std::shared_ptr<const AppZone>> apps_;  // in the order of the network
  std::shared_ptr<const AppIndex> index_;
  std::vector<Peer> peers_;
  std::unordered_map<std::string, RecordSet, KeyHash, std::equal_to<>> peer_names_;  // below internal., as they are
  RecordSet api_{RecordType::aaaa};
  std::string client_region_;
  std::shared_ptr<const NearestRegions> nearest_;
  std::shared_ptr<const AddressBook> book_;
  bool with_reverse_names_;
};

}  // namespace flylocal::dns
