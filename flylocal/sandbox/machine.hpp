#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "flylocal/base/notifier.hpp"
#include "flylocal/base/task_group.hpp"
#include "flylocal/config/process_groups.hpp"
#include "flylocal/sandbox/health_checks.hpp"
#include "flylocal/sandbox/log_hub.hpp"
#include "flylocal/sandbox/worker_thread.hpp"
#include "flylocal/store/store.hpp"
#include "netns/backbone.hpp"
#include "netns/guest.hpp"
#include "netns/socket_inventory.hpp"
#include "proxy/routing.hpp"

namespace flylocal::sandbox {

/// The states of the platform that occur here (platform facts 9.4).
enum class MachineState { kCreated, kStarting, kStarted, kSuspending, kSuspended, kStopping, kStopped, kFailed };
std::string_view name(MachineState state);

/// How the program ended the last time.
struct MachineExit {
  int exit_code = 0;  ///< 128 + signal number if by a signal
  std::optional<int> signal;
  bool requested_stop = false;
  std::chrono::system_clock::time_point at;
};

/// Everything a machine is made of; fixed for its life.
struct MachineSpec {
  store::MachineRecord record;
  netns::SixPnNetwork network;
  netns::GuestNetwork address;
  netns::GuestSpec guest;
  config::Restart restart;
  int kill_signal = 2;
  std::chrono::milliseconds kill_timeout{5000};
  std::string instance_id;
  std::vector<CheckSpec> checks;
};

/// What a machine is told to do and what it needs for it. One object for all machines.
struct MachineWorld {
  Executor executor;  ///< of the main thread, where all of this runs
  WorkerThread* backbone_thread;
  netns::Backbone* backbone;  ///< only to be used on the backbone thread
  LogHub* logs;
  store::Store* store;
  std::function<void()> on_change;  ///< some machine's state changed
};

/// One machine: its state, and the task that starts its guest, watches it and starts it again by the restart
/// policy. All on the main thread; namespaces are made on the backbone thread.
///
/// Theory of operation. While a machine is not stopped, exactly one task (`live`) runs. It goes round once per
/// guest: create, wait for the end, clean up, and then restart or leave. Commands only set `stop_requested_`,
/// send signals to the guest and wait for the state to change.
class Machine {
 public:
  Machine(MachineSpec spec, MachineWorld& world);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  /// The machine must be stopped, and its tasks ended by shutdown().
  ~Machine() = default;

  const MachineSpec& spec() const { return spec_; }
  const std::string& id() const { return spec_.record.id; }
  MachineState state() const { return state_; }
  bool is_started() const { return state_ == MachineState::kStarted; }
  /// Its program is there, but frozen, or about to be, or being thawed.
  bool is_suspended() const { return state_ == MachineState::kSuspending || state_ == MachineState::kSuspended || resuming_; }
  /// The restart policy has given up on a program that ended with an error.
  bool has_crashed() const {
    return (state_ == MachineState::kStopping || state_ == MachineState::kStopped) && !stop_requested_ && last_exit_ && last_exit_->exit_code != 0;
  }
  /// How often it has ceased to be started, or could not be.
  std::uint32_t ended_starts() const { return ended_starts_; }
  /// Gets no new requests, because the user wants so.
  bool is_cordoned() const { return cordoned_; }
  void set_cordoned(bool cordoned);
  /// Gets no new requests, because it is about to be put to rest.
  bool is_draining() const { return draining_; }
  void set_draining(bool draining);
  const HealthChecks& checks() const { return checks_; }
  /// Whether shutdown() has begun.
  bool is_closing() const { return closing_; }
  const std::optional<MachineExit>& last_exit() const { return last_exit_; }
  const std::string& failure() const { return failure_; }
  int restart_count() const { return restart_count_; }
  std::chrono::system_clock::time_point updated_at() const { return updated_at_; }
  /// When the present guest's program was executed; only while started.
  std::chrono::steady_clock::time_point started_at() const { return started_at_; }
  /// When the present guest's first bound socket was seen; nothing before.
  const std::optional<std::chrono::steady_clock::time_point>& listened_at() const { return listened_at_; }
  /// To be told by who looks at the sockets.
  void note_listening() {
    if (!listened_at_) listened_at_ = std::chrono::steady_clock::now();
  }

  /// Starts a machine that is not running, or thaws a suspended one, and returns when its program runs or could not be started.
  /// `source` says who wants it: "user", "proxy". Error: why it could not, or that shutdown() has begun.
  Task<Result<>> start(std::string source);
  /// Freezes all processes of a started machine where they are, until start() or stop(); returns when that is done. Error: why not.
  Task<Result<>> suspend(std::string source);
  /// Thaws a suspended machine first. The signal (kill_signal by default), then after the time (kill_timeout by default) SIGTERM, a second later
  /// SIGKILL. Returns when the machine is stopped.
  Task<> stop(std::string source, std::optional<int> signal = {}, std::optional<std::chrono::milliseconds> patience = {});
  /// Sends a signal to the program. Error when it does not run.
  Result<> signal(int signal);
  /// Stops as stop() does, for good, and ends all tasks; afterwards the object can be destroyed.
  Task<> shutdown();
  /// A condition on a machine; it has to live until the wait is over.
  using Condition = std::function<bool(const Machine&)>;
  /// Returns when `done` holds or at the deadline; whether it holds.
  Task<bool> wait(const Condition& done, std::chrono::steady_clock::time_point deadline);

  /// The running guest; null when there is none.
  netns::Guest* guest() { return guest_ ? &*guest_ : nullptr; }
  /// Its sockets; null when there is no guest.
  netns::SocketInventory* inventory() { return inventory_ ? &*inventory_ : nullptr; }
  /// The proxy's counters for a service of this machine, kept as long as the machine.
  std::shared_ptr<proxy::UpstreamLoad> load(std::uint16_t internal_port);
  /// Those that were asked for so far, by port.
  const std::map<std::uint16_t, std::shared_ptr<proxy::UpstreamLoad>>& loads() const { return loads_; }
  /// What the bind report says of ports that cannot be reached, by port.
  std::map<std::uint16_t, proxy::Finding>& findings() { return findings_; }
  /// A line of flylocal about this machine, in the log.
  void log(std::string text);

 private:
  Task<> live(std::string source);
  Task<> go_round(std::string source);
  Task<Result<>> open_guest();
  Task<> watch_guest();
  Task<> pump_output(UniqueFd output);
  Task<> close_guest();
  bool wants_restart();
  void set_state(MachineState state);
  void record_event(std::string type, std::string source, std::string detail);
  void note_exit(int wait_status);

  MachineSpec spec_;
  MachineWorld& world_;
  MachineState state_ = MachineState::kCreated;
  Notifier changed_;
  TaskGroup tasks_;
  std::optional<netns::Guest> guest_;
  std::optional<netns::SocketInventory> inventory_;
  std::optional<MachineExit> last_exit_;
  std::string failure_;  // why the last start failed
  bool stop_requested_ = false;
  std::uint32_t ended_starts_ = 0;
  bool cordoned_ = false;
  bool draining_ = false;
  bool resuming_ = false;  // kStarting, by thawing the guest that is there
  std::string start_source_ = "flyd";
  std::uint64_t runs_ = 0;  // starts by command; restarts by policy belong to the same run
  bool closing_ = false;  // since shutdown(): never to start again
  bool output_open_ = false;
  int restart_count_ = 0;
  std::deque<std::chrono::steady_clock::time_point> recent_restarts_;
  std::chrono::steady_clock::time_point started_at_{};
  std::optional<std::chrono::steady_clock::time_point> listened_at_;
  std::chrono::system_clock::time_point updated_at_;
  std::map<std::uint16_t, std::shared_ptr<proxy::UpstreamLoad>> loads_;
  std::map<std::uint16_t, proxy::Finding> findings_;
  HealthChecks checks_;
};

}  // namespace flylocal::sandbox
