#include "dns/zone.hpp"

#include <algorithm>
#include <unordered_set>

namespace flylocal::dns {
namespace {

// Region codes are three letters (platform.md 5.8), machine ids 14 hexadecimal digits (platform.md 2.1). A
// label of that form in its place is a name the platform could have, whether or not a machine has it now.
constexpr std::size_t kRegionSize = 3;
constexpr std::size_t kMachineIdSize = 14;

bool is_region_form(std::string_view label) {
  return label.size() == kRegionSize &&
         std::all_of(label.begin(), label.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool is_machine_id_form(std::string_view label) {
  return label.size() == kMachineIdSize && std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= Name::kMaxLabelSize;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return dns::lower_case(c); });
  return lower;
}

/// The lower-case wire form of labels, without a root.
std::string wire_key(std::initializer_list<std::string_view> labels) {
  std::string key;
  for (auto label : labels) {
    key += static_cast<char>(label.size());
    key += lower_case(label);
  }
  return key;
}

/// `fields` joined by commas (platform.md 3.3).
class TextList {
 public:
  void add(std::string_view field) {
    if (!text_.empty()) text_ += ',';
    text_ += field;
  }
  void add_once(std::string_view field) {
    if (seen_.insert(std::string(field)).second) add(field);
  }
  /// A list of nothing is one empty string (platform.md 10, row 5).
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

AppZone::AppZone(const App& app) {
  TextList vms, all_vms, regions, all_regions;
  // Everything between an app and its machines exists, too (RFC 8020 2).
  for (auto label : {"vm", "process", "all"}) names_.try_emplace(wire_key({label}));
  names_.try_emplace(wire_key({"global"}));
  names_.try_emplace(std::string{});

  for (const auto& machine : app.machines) {
    auto pair = machine.id + ' ' + machine.region;
    all_vms.add(pair);
    all_regions.add_once(machine.region);
    if (machine.state == MachineState::started) {
      vms.add(pair);
      regions.add_once(machine.region);
    }
    register_machine(machine, {});
    register_machine(machine, {"global"});
    register_machine(machine, {machine.region});
    register_machine(machine, {machine.id, "vm"});
    register_machine(machine, {machine.process_group, "process"});
  }

  names_[wire_key({"vms"})].text = vms.take();
  names_[wire_key({"all", "vms"})].text = all_vms.take();
  names_[wire_key({"regions"})].text = regions.take();
  names_[wire_key({"all", "regions"})].text = all_regions.take();
}

void AppZone::register_machine(const Machine& machine, std::initializer_list<std::string_view> labels) {
  if (!std::all_of(labels.begin(), labels.end(), is_label)) return;
  auto& records = names_[wire_key(labels)];
  if (machine.state == MachineState::started) records.addresses.push_back(machine.six_pn);
}

const RecordSets* AppZone::find(std::string_view below_app) const {
  if (auto known = names_.find(below_app); known != names_.end()) return &known->second;
  auto first = below_app.substr(1, static_cast<std::uint8_t>(below_app[0]));
  auto rest = below_app.substr(1 + first.size());
  bool possible = (rest.empty() && is_region_form(first)) || (rest == "\2vm" && is_machine_id_form(first)) ||
                  rest == "\7process";
  return possible ? &existing_but_empty_ : nullptr;
}

NetworkZone::NetworkZone(const Network& network) {
  TextList names;
  for (const auto& app : network.apps) {
    if (!is_label(app.name)) continue;
    if (apps_.try_emplace(lower_case(app.name), app).second) names.add(app.name);
  }
  app_list_.text = names.take();
}

const RecordSets* NetworkZone::find(const Name& name) const {
  Name lower = name.lower_case();
  Labels labels(lower);
  if (labels.size() == 1) return &apex_;
  std::size_t app_index = labels.size() - 2;
  auto below_app = lower.wire().substr(0, labels.offset(app_index));
  if (auto app = apps_.find(labels[app_index]); app != apps_.end()) return app->second.find(below_app);
  if (below_app.empty() && labels[app_index] == "_apps") return &app_list_;
  return nullptr;
}

ZoneSnapshot::ZoneSnapshot(const std::vector<Network>& networks) {
  for (const auto& network : networks) networks_.try_emplace(network.id, network);
}

const NetworkZone* ZoneSnapshot::find(NetworkId network) const {
  auto found = networks_.find(network);
  return found == networks_.end() ? nullptr : &found->second;
}

}  // namespace flylocal::dns
