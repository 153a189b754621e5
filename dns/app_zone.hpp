#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns/finding.hpp"
#include "dns/label_text.hpp"
#include "dns/world.hpp"

namespace flylocal::dns {

/// The names below one app (platform.md 3.1, 3.2), with every answer encoded when the zone is made. Immutable, and
/// shared by all snapshots in which the app is the same.
class AppZone {
 public:
  explicit AppZone(App app);
  AppZone(const AppZone&) = delete;
  AppZone& operator=(const AppZone&) = delete;

  const App& app() const { return app_; }

  /// `below_app` is the lower-case wire form of the labels in front of the app's, without a root. All names but those
  /// of nearest(): a name that could exist for the app but has nothing started exists without records (platform.md
  /// 10, row 1).
  void find(std::string_view below_app, Finding& finding) const;

  /// The `most` started machines that are nearest to `region`, whose list of regions is `order` (null: not known).
  /// In one region they are in the order of their creation, and so are those of unknown regions behind all others.
  void nearest(std::string_view region, const std::vector<std::string>* order, std::size_t most, Finding& finding) const;

  const RecordSet& flycast() const { return flycast_; }

  /// The app's part of `_instances` and of `all._instances` (platform.md 3.3).
  const std::string& started_instances() const { return started_instances_; }
  const std::string& all_instances() const { return all_instances_; }

 private:
  struct Records {
    RecordSet addresses{RecordType::aaaa};
    RecordSet text{RecordType::txt};
  };
  struct Region {
    std::string name;
    RecordSet* started;
  };
  /// Null when the labels are no name.
  Records* records_of(std::initializer_list<std::string_view> labels);
  void register_lists();
  void register_machine(const Machine& machine, std::initializer_list<std::string_view> labels);
  void register_metadata(const Machine& machine);

  App app_;
  std::unordered_map<std::string, Records, KeyHash, std::equal_to<>> names_;
  std::vector<Region> regions_;                // of all machines, in the order of their creation
  std::vector<std::uint32_t> started_regions_;  // of the n-th started machine, the index of its region
  RecordSet flycast_{RecordType::aaaa};
  std::string started_instances_;
  std::string all_instances_;
};

}  // namespace flylocal::dns
