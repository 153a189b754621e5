#include "dns/network_zone.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "dns/label_form.hpp"

namespace flylocal::dns {
namespace {

constexpr std::string_view kPeers = "\5_peer";
constexpr std::string_view kApps = "\5_apps";
constexpr std::string_view kApi = "\4_api";
constexpr std::string_view kInstances = "\12_instances";
constexpr std::string_view kAllInstances = "\3all\12_instances";

std::optional<std::uint8_t> nibble_of(std::string_view label) {
  if (label.size() != 1) return std::nullopt;
  const char c = label.front();
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

/// Joins what does not fit into a message only as far as is needed to see that.
bool join(std::string& text, char separator, std::string_view part) {
  if (!text.empty()) text += separator;
  text += part;
  return text.size() <= kMaxMessageSize;
}

}  // namespace

NetworkZone::NetworkZone(Network network, std::shared_ptr<const NearestRegions> nearest, bool with_reverse_names,
                         const NetworkZone* previous)
    : peers_(std::move(network.peers)),
      client_region_(lower_case(std::string_view(network.client_region))),
      nearest_(std::move(nearest)),
      with_reverse_names_(with_reverse_names) {
  make_apps(std::move(network.apps), previous);
  make_peers();
  if (network.api) api_.add(*network.api);
  const bool same_book = previous && previous->with_reverse_names_ == with_reverse_names && previous->peers_ == peers_ &&
                         AddressBook::is_same(previous->apps_, apps_);
  book_ = same_book ? previous->book_ : std::make_shared<const AddressBook>(apps_, peers_, with_reverse_names);
}

void NetworkZone::make_apps(std::vector<App> apps, const NetworkZone* previous) {
  auto has_name_of = [](const App& app, const std::shared_ptr<const AppZone>& zone) { return app.name == zone->app().name; };
  if (previous && std::equal(apps.begin(), apps.end(), previous->apps_.begin(), previous->apps_.end(), has_name_of)) {
    index_ = previous->index_;
    apps_ = previous->apps_;
    for (std::size_t i = 0; i < apps.size(); ++i) {
      if (apps_[i]->app() != apps[i]) apps_[i] = std::make_shared<const AppZone>(std::move(apps[i]));
    }
    return;
  }
  auto index = std::make_shared<AppIndex>();
  for (auto& app : apps) {
    if (!is_label(app.name)) continue;
    auto name = lower_case(std::string_view(app.name));
    if (!index->try_emplace(name, static_cast<std::uint32_t>(apps_.size())).second) continue;
    std::shared_ptr<const AppZone> zone;
    if (previous) {
      const auto before = previous->index_->find(name);
      if (before != previous->index_->end()) zone = previous->apps_[before->second];
    }
    if (!zone || zone->app() != app) zone = std::make_shared<const AppZone>(std::move(app));
    apps_.push_back(std::move(zone));
  }
  index_ = std::move(index);
}

void NetworkZone::make_peers() {
  std::string list;
  for (const auto& peer : peers_) {
    if (!is_label(peer.name)) continue;
    auto [entry, is_new] = peer_names_.try_emplace(wire_key({peer.name, "_peer"}), RecordType::aaaa);
    if (!is_new) continue;
    entry->second.add(peer.address);
    join(list, ',', peer.name);
  }
  peer_names_.try_emplace(std::string(kPeers), RecordSet::of_text(list));
}

const AppZone* NetworkZone::app(std::string_view name) const {
  const auto found = index_->find(name);
  return found == index_->end() ? nullptr : apps_[found->second].get();
}

void NetworkZone::find_internal(const Name& name, const Labels& labels, const boost::asio::ip::address_v6& client,
                                Finding& finding) const {
  if (labels.size() == 1) return finding.set_exists();
  const std::size_t app_index = labels.size() - 2;
  const AppZone* zone = app(labels[app_index]);
  if (!zone) return find_special(name.wire().substr(0, labels.offset(app_index + 1)), finding);
  if (app_index == 3 && labels[1] == "nearest" && labels[2] == "of") {
    if (const auto most = top_count(labels[0])) find_nearest(*zone, *most, client, finding);
    return;
  }
  zone->find(name.wire().substr(0, labels.offset(app_index)), finding);
}

void NetworkZone::find_special(std::string_view above, Finding& finding) const {
  if (above == kApps) return list_apps(finding);
  if (above == kInstances) return list_instances(Listed::started, finding);
  if (above == kAllInstances) return list_instances(Listed::all, finding);
  if (above == kApi) {
    // Without an API there is no such name: nothing will ever answer under it.
    if (!api_.empty()) finding.add(api_);
    return;
  }
  const auto peer = peer_names_.find(above);
  if (peer != peer_names_.end()) finding.add(peer->second);
}

void NetworkZone::find_nearest(const AppZone& zone, std::size_t most, const boost::asio::ip::address_v6& client,
                               Finding& finding) const {
  const std::string* own = book_->region_of(client);
  const std::string& region = own ? *own : client_region_;
  const std::vector<std::string>* order = nullptr;
  if (nearest_) {
    const auto found = nearest_->find(region);
    if (found != nearest_->end()) order = &found->second;
  }
  zone.nearest(region, order, most, finding);
}

void NetworkZone::list_apps(Finding& finding) const {
  std::string list;
  for (const auto& zone : apps_) {
    if (!join(list, ',', zone->app().name)) break;
  }
  finding.scratch().become_text(list);
  finding.add(finding.scratch());
}

void NetworkZone::list_instances(Listed listed, Finding& finding) const {
  std::string list;
  for (const auto& zone : apps_) {
    const std::string& part = listed == Listed::all ? zone->all_instances() : zone->started_instances();
    if (!part.empty() && !join(list, ';', part)) break;
  }
  finding.scratch().become_text(list);
  finding.add(finding.scratch());
}

void NetworkZone::find_flycast(const Labels& labels, Finding& finding) const {
  if (labels.size() == 1) return finding.set_exists();
  if (labels.size() != 2) return;
  if (const AppZone* zone = app(labels[0])) finding.add(zone->flycast());
}

void NetworkZone::find_reverse(const Labels& labels, Finding& finding) const {
  constexpr std::size_t kNibbles = 32;
  const std::size_t below = labels.size() - kReverseApexLabels;
  if (below == 0) return finding.set_exists();
  std::array<std::uint8_t, kNibbles> nibbles{0xF, 0xD, 0xA, 0xA};
  std::size_t count = 4;
  if (!with_reverse_names_ || count + below > nibbles.size()) return;
  for (std::size_t i = below; i-- > 0;) {
    const auto nibble = nibble_of(labels[i]);
    if (!nibble) return;
    nibbles[count++] = *nibble;
  }
  if (count < nibbles.size()) {
    // RFC 8020 2: what leads to a name exists.
    if (book_->leads_to_names({nibbles.data(), count})) finding.set_exists();
    return;
  }
  const auto target = book_->target_of(nibbles);
  if (target.empty()) return;
  finding.set_exists();
  boost::asio::ip::address_v6::bytes_type address;
  for (std::size_t i = 0; i < address.size(); ++i) {
    address[i] = static_cast<std::uint8_t>(nibbles[2 * i] << 4 | nibbles[2 * i + 1]);
  }
  if (!has_address(target, address)) return;
  finding.scratch().become_pointer(target);
  finding.add(finding.scratch());
}

bool NetworkZone::has_address(std::string_view target_wire, const boost::asio::ip::address_v6::bytes_type& address) const {
  std::size_t offset = 0;
  const auto target = Name::parse({reinterpret_cast<const std::uint8_t*>(target_wire.data()), target_wire.size()}, offset);
  if (!target) return false;
  const Labels labels(*target);
  Finding finding;
  if (labels[labels.size() - 1] == "flycast") {
    find_flycast(labels, finding);
  } else {
    find_internal(*target, labels, {}, finding);
  }
  for (const RecordSet* set : finding.sets()) {
    if (set->type() != RecordType::aaaa) continue;
    for (auto octets = set->octets(); !octets.empty(); octets = octets.subspan(set->record_size())) {
      if (std::equal(address.rbegin(), address.rend(), octets.first(set->record_size()).rbegin())) return true;
    }
  }
  return false;
}

}  // namespace flylocal::dns
