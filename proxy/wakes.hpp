#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/io/poller.hpp"
#include "proxy/routing.hpp"
#include "proxy/stats.hpp"

namespace flylocal::proxy {

/// Machines that are being started for requests (platform.md 4.9), from Options::on_wake until they can take
/// requests or are given up. For whoever holds the Dispatch.
class Wakes {
 public:
  struct Wake {
    std::string machine_id;
    std::uint64_t number = 0;  ///< never used again
    Clock::time_point due;     ///< it is given up then
    std::uint32_t ended_starts = 0;  ///< before it
  };

  /// `counters` counts them.
  explicit Wakes(Counters& counters) : counters_(counters) {}

  bool empty() const { return under_way_.empty(); }
  /// Null when it has ended.
  const Wake* find(std::uint64_t number) const;
  /// It has ended without the machine's coming; known of the latest ones only. What ended otherwise came, also if
  /// it has left since.
  bool has_failed(std::uint64_t number) const;
  /// That of one of the service's machines; null when there is none.
  const Wake* of(const Service& service, Clock::time_point now);
  /// Until the next call of a member that is not const.
  const Wake& begin(const Sleeper& sleeper, Clock::time_point due);
  /// The machine did not come in time.
  void give_up(std::uint64_t number);
  /// Ends the wakes of machines that can take requests now, and of those that will not come.
  void on_snapshot(const RoutingSnapshot& snapshot);

 private:
  Counters& counters_;
  std::vector<Wake> under_way_;  // few
  std::vector<std::uint64_t> failed_;
  std::uint64_t last_number_ = 0;
};

}  // namespace flylocal::proxy
