#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/base/task_group.hpp"
#include "flylocal/config/process_groups.hpp"
#include "flylocal/sandbox/check_attempt.hpp"

namespace flylocal::sandbox {

class Machine;
struct MachineWorld;

/// The checks of a group's machines: those of its services, numbered, then the top-level ones.
std::vector<CheckSpec> checks_of(const config::GroupConfig& group);

/// The platform also has "warning", which nothing here leads to.
enum class CheckStatus { kPassing, kCritical };
std::string_view name(CheckStatus status);

/// How a check stands (platform facts 4.7).
class CheckRecord {
 public:
  using WallClock = std::chrono::system_clock;
  explicit CheckRecord(WallClock::time_point now) : updated_at_(now) {}

  CheckStatus status() const { return status_; }
  const std::string& output() const { return output_; }
  /// The last change of the status.
  WallClock::time_point updated_at() const { return updated_at_; }
  /// Since the machine's start.
  bool has_passed() const { return has_passed_; }

  /// The machine was started anew, or has stopped: nothing is known.
  void forget(WallClock::time_point now);
  /// Takes an outcome. In its grace period a failure is no news. What the user is to be told: the status, when it is
  /// another one than was told before.
  std::optional<CheckStatus> note(CheckOutcome outcome, bool in_grace_period, WallClock::time_point now);

 private:
  void set_status(CheckStatus status, WallClock::time_point now);

  CheckStatus status_ = CheckStatus::kCritical;
  std::string output_ = "the machine hasn't started";
  WallClock::time_point updated_at_;
  std::optional<CheckStatus> told_;
  bool has_passed_ = false;
};

/// From one attempt's begin to the next one's. Until its first success after a start a check is made more often than its
/// interval says, so that nobody waits half a minute for a program that was up at once: every tenth of a second at first, and
/// then the more rarely, the longer the program already takes.
std::chrono::milliseconds pause_between_attempts(const CheckSpec& check, std::chrono::milliseconds since_start, bool has_passed);

/// Makes the checks of one machine while it is started. Belongs to the main thread. Without checks it does nothing at all.
class HealthChecks {
 public:
  HealthChecks(Machine& machine, MachineWorld& world, std::vector<CheckSpec> specs);
  HealthChecks(const HealthChecks&) = delete;
  HealthChecks& operator=(const HealthChecks&) = delete;
  /// close() must have ended, unless begin() was never called.
  ~HealthChecks() = default;

  struct Check {
    CheckSpec spec;
    CheckRecord record;
  };
  const std::vector<Check>& all() const { return checks_; }
  /// Whether all service checks of this port pass; one without checks is healthy.
  bool is_healthy(std::uint16_t internal_port) const;

  /// From now on checks are made whenever the machine runs. Further calls do nothing.
  void begin();
  /// Ends it, for good.
  Task<> close();

 private:
  Task<> keep_checking(Check& check);
  Task<> check_a_run(Check& check);
  Task<bool> attempt(Check& check, std::chrono::steady_clock::time_point run);

  Machine& machine_;
  MachineWorld& world_;
  std::vector<Check> checks_;
  TaskGroup tasks_;
  bool begun_ = false;
};

}  // namespace flylocal::sandbox
