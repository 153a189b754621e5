#include "dns/app_zone.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "dns/label_form.hpp"

namespace flylocal::dns {
namespace {

constexpr std::string_view kGlobal = "\6global";
constexpr std::string_view kBelowMetadata = "\2kv\11_metadata";

/// Takes the leftmost label, with its length octet, off `labels`.
std::string_view take_label(std::string_view& labels) {
  const auto label = labels.substr(1, static_cast<std::uint8_t>(labels[0]));
  labels.remove_prefix(1 + label.size());
  return label;
}

/// Whether the platform could have this name below an app, with other machines than there are.
bool is_possible(std::string_view below_app) {
  const auto first = take_label(below_app);
  if (below_app.empty()) return is_region_form(first);
  if (below_app == "\2vm") return is_machine_id_form(first);
  if (below_app == "\7process" || below_app == kBelowMetadata) return true;
  take_label(below_app);
  return below_app == kBelowMetadata;
}

/// `fields` joined by commas (platform.md 3.3).
class TextList {
 public:
  void add(std::string_view field) {
    if (!text_.empty()) text_ += ',';
    text_ += field;
  }
  void add_once(const std::string& field) {
    if (seen_.insert(field).second) add(field);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::unordered_set<std::string> seen_;
};

std::string instance_text(const App& app, const Machine& machine) {
  return "instance=" + machine.id + ",app=" + app.name + ",ip=" + machine.six_pn.to_string() + ",region=" + machine.region;
}

void add_instance(std::string& list, std::string_view instance) {
  if (!list.empty()) list += ';';
  list += instance;
}

}  // namespace

AppZone::AppZone(App app) : app_(std::move(app)) {
  names_.reserve(app_.machines.size() + 32);
  // Everything between an app and its machines exists, too (RFC 8020 2).
  for (auto label : {"vm", "process", "all", "of", "_metadata"}) names_.try_emplace(wire_key({label}));
  names_.try_emplace(wire_key({"nearest", "of"}));
  names_.try_emplace(std::string(kBelowMetadata));
  names_.try_emplace(std::string{});

  for (const auto& machine : app_.machines) {
    // A region that is no label has no name of its own, but its machines have a distance.
    const std::string region = lower_case(machine.region);
    auto known = std::find_if(regions_.begin(), regions_.end(), [&](const Region& one) { return one.name == region; });
    if (known == regions_.end()) known = regions_.insert(regions_.end(), {region, &names_[wire_key({region})].addresses});
    if (machine.state == MachineState::started) {
      known->started->add(machine.six_pn);
      started_regions_.push_back(static_cast<std::uint32_t>(known - regions_.begin()));
    }
    register_machine(machine, {});
    register_machine(machine, {machine.id, "vm"});
    register_machine(machine, {machine.process_group, "process"});
    register_metadata(machine);
  }
  for (const auto& address : app_.flycast) flycast_.add(address);
  register_lists();
}

void AppZone::register_lists() {
  TextList vms, all_vms, regions, all_regions;
  for (const auto& machine : app_.machines) {
    const auto pair = machine.id + ' ' + machine.region;
    all_vms.add(pair);
    all_regions.add_once(machine.region);
    const auto instance = instance_text(app_, machine);
    add_instance(all_instances_, instance);
    if (machine.state != MachineState::started) continue;
    vms.add(pair);
    regions.add_once(machine.region);
    add_instance(started_instances_, instance);
  }
  // A list of nothing is one empty string (platform.md 10, row 5).
  names_[wire_key({"vms"})].text = RecordSet::of_text(vms.text());
  names_[wire_key({"all", "vms"})].text = RecordSet::of_text(all_vms.text());
  names_[wire_key({"regions"})].text = RecordSet::of_text(regions.text());
  names_[wire_key({"all", "regions"})].text = RecordSet::of_text(all_regions.text());
}

AppZone::Records* AppZone::records_of(std::initializer_list<std::string_view> labels) {
  return std::all_of(labels.begin(), labels.end(), is_label) ? &names_[wire_key(labels)] : nullptr;
}

void AppZone::register_machine(const Machine& machine, std::initializer_list<std::string_view> labels) {
  Records* records = records_of(labels);
  if (records && machine.state == MachineState::started) records->addresses.add(machine.six_pn);
}

void AppZone::register_metadata(const Machine& machine) {
  for (const auto& [key, value] : machine.metadata) {
    Records* records = records_of({value, key, "kv", "_metadata"});
    if (!records || machine.state != MachineState::started) continue;
    // Keys that differ in case only are one label: no address may be twice in a set (RFC 2181 5).
    if (!records->addresses.ends_with(machine.six_pn)) records->addresses.add(machine.six_pn);
  }
}

void AppZone::find(std::string_view below_app, Finding& finding) const {
  if (below_app == kGlobal) below_app = {};
  if (auto known = names_.find(below_app); known != names_.end()) {
    finding.add(known->second.addresses);
    finding.add(known->second.text);
  } else if (is_possible(below_app)) {
    finding.set_exists();
  }
}

void AppZone::nearest(std::string_view region, const std::vector<std::string>* order, std::size_t most,
                      Finding& finding) const {
  RecordSet& chosen = finding.scratch();
  chosen.reset(RecordType::aaaa);
  std::vector<bool>& taken = finding.flags(regions_.size());
  auto take = [&](std::string_view name) {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      if (taken[i] || regions_[i].name != name) continue;
      taken[i] = true;
      chosen.append(*regions_[i].started, most - chosen.size());
    }
  };
  take(region);
  if (order) {
    for (std::size_t i = 0; i < order->size() && chosen.size() < most; ++i) take((*order)[i]);
  }
  const auto& all = names_.find(std::string_view{})->second.addresses;
  for (std::size_t i = 0; i < all.size() && chosen.size() < most; ++i) {
    if (!taken[started_regions_[i]]) chosen.append_one(all, i);
  }
  finding.add(chosen);
  finding.set_sorted();
}

}  // namespace flylocal::dns
