#include "flylocal/sandbox/machine.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace flylocal::sandbox {
namespace {

using namespace std::chrono_literals;

// platform facts 1.6: 10 restarts inside of 5 minutes, unless fly.toml says another number.
constexpr int kDefaultRetries = 10;
constexpr auto kRetryWindow = 5min;
constexpr auto kFirstBackoff = 250ms;
constexpr auto kLongestBackoff = 10s;
// platform facts 10, row 9: SIGTERM after kill_timeout, SIGKILL a second later.
constexpr auto kTermPatience = 1s;
// A program's output ends when its last holder is gone, which the end of the pid namespace makes sure of.
constexpr auto kOutputPatience = 5s;

Descriptor watched(Executor executor, int fd) {
  return Descriptor(executor, ::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

/// "SIGTERM"; a real-time signal has no name.
std::string signal_name(int signal) {
  const char* known = ::sigabbrev_np(signal);
  return known ? fmt::format("SIG{}", known) : fmt::format("signal {}", signal);
}

}  // namespace

std::string_view name(MachineState state) {
  switch (state) {
    case MachineState::kCreated: return "created";
    case MachineState::kStarting: return "starting";
    case MachineState::kStarted: return "started";
    case MachineState::kSuspending: return "suspending";
    case MachineState::kSuspended: return "suspended";
    case MachineState::kStopping: return "stopping";
    case MachineState::kStopped: return "stopped";
    case MachineState::kFailed: return "failed";
  }
  return "unknown";
}

Machine::Machine(MachineSpec spec, MachineWorld& world)
    : spec_(std::move(spec)),
      world_(world),
      changed_(world.executor),
      tasks_(world.executor),
      updated_at_(std::chrono::system_clock::now()),
      checks_(*this, world_, spec_.checks) {}

void Machine::set_state(MachineState state) {
  if (state_ == state) return;
  const bool gives_up = state_ == MachineState::kStarting && state != MachineState::kStarted;
  ended_starts_ += state_ == MachineState::kStarted || gives_up;
  state_ = state;
  resuming_ &= state == MachineState::kStarting;
  updated_at_ = std::chrono::system_clock::now();
  changed_.notify_all();
  world_.on_change();
}

void Machine::record_event(std::string type, std::string source, std::string detail) {
  auto written = world_.store->add_event(id(), {std::move(type), std::string(name(state_)), std::move(source),
                                                std::move(detail), std::chrono::system_clock::now()});
  if (!written) spdlog::warn("{}", written.error().message);
}

void Machine::log(std::string text) {
  world_.logs->append({LogLine::Source::kRunner, std::chrono::system_clock::now(), spec_.record.app, id(),
                       spec_.record.region, std::move(text)});
}

std::shared_ptr<proxy::UpstreamLoad> Machine::load(std::uint16_t internal_port) {
  auto& load = loads_[internal_port];
  if (!load) load = std::make_shared<proxy::UpstreamLoad>();
  return load;
}

void Machine::set_cordoned(bool cordoned) {
  if (cordoned_ == cordoned) return;
  cordoned_ = cordoned;
  log(cordoned ? "cordoned: Fly Proxy sends it no new requests" : "uncordoned: Fly Proxy sends it requests again");
  record_event(cordoned ? "cordon" : "uncordon", "user", "");
  world_.on_change();
}

void Machine::set_draining(bool draining) {
  if (draining_ == draining) return;
  draining_ = draining;
  world_.on_change();
}

Task<bool> Machine::wait(const Condition& done, std::chrono::steady_clock::time_point deadline) {
  while (!done(*this)) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    co_await changed_.wait_until(deadline);
  }
  co_return true;
}

Task<Result<>> Machine::start(std::string source) {
  const Condition not_stopping = [](const Machine& m) {
    return m.state() != MachineState::kStopping && m.state() != MachineState::kSuspending;
  };
  const Condition not_starting = [](const Machine& m) { return m.state() != MachineState::kStarting; };
  co_await wait(not_stopping, Timer::time_point::max());
  if (closing_) co_return Error{fmt::format("machine {} is going away", id())};
  if (state_ == MachineState::kSuspended) {
    start_source_ = source;
    if (auto asked = guest_->thaw(); !asked) co_return asked.error();
    resuming_ = true;
    set_state(MachineState::kStarting);
    if (source == "proxy") log("a request wants this machine: resuming it");
  } else if (state_ != MachineState::kStarted && state_ != MachineState::kStarting) {
    checks_.begin();
    start_source_ = source;
    if (source == "proxy") log("a request wants this machine: starting it");
    stop_requested_ = false;
    ++runs_;
    recent_restarts_.clear();
    failure_.clear();
    set_state(MachineState::kStarting);
    tasks_.spawn("machine " + id(), live(std::move(source)));
  }
  co_await wait(not_starting, Timer::time_point::max());
  if (state_ == MachineState::kFailed) co_return Error{failure_};
  co_return Result<>();
}

Task<Result<>> Machine::suspend(std::string source) {
  if (state_ != MachineState::kStarted && state_ != MachineState::kSuspending && state_ != MachineState::kSuspended)
    co_return Error{fmt::format("machine {} is {}, not started", id(), name(state_))};
  if (state_ == MachineState::kStarted) {
    if (auto asked = guest_->freeze(); !asked) co_return asked.error();
    set_state(MachineState::kSuspending);
    record_event("suspending", source, "");
    log("suspending");
  }
  const Condition not_suspending = [](const Machine& m) { return m.state() != MachineState::kSuspending; };
  co_await wait(not_suspending, Timer::time_point::max());
  if (state_ == MachineState::kSuspended) co_return Result<>();
  co_return Error{fmt::format("machine {} is {} instead", id(), name(state_))};
}

Task<> Machine::live(std::string source) {
  try {
    co_await go_round(std::move(source));
    co_return;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    failure_ = error.what();
  }
  // Whoever waits for this machine waits for one of its last states.
  log("failed: " + failure_);
  if (guest_) co_await close_guest();
  set_state(MachineState::kFailed);
}

Task<> Machine::go_round(std::string source) {
  for (;;) {
    set_state(MachineState::kStarting);
    auto opened = co_await open_guest();
    if (!opened) {
      failure_ = opened.error().message;
      log("could not start: " + failure_);
      co_await close_guest();
      set_state(MachineState::kFailed);
      record_event("start_failed", source, failure_);
      co_return;
    }
    co_await watch_guest();
    const bool failed = state_ == MachineState::kFailed;
    const bool again = !failed && !stop_requested_ && wants_restart();
    // From now on nothing must be sent to it, although its output and its namespaces take a little longer.
    if (!failed) set_state(again ? MachineState::kStarting : MachineState::kStopping);
    co_await close_guest();
    if (failed) co_return;
    if (stop_requested_ || !again) break;
    const auto backoff = std::min<std::chrono::steady_clock::duration>(
        kFirstBackoff * (1LL << std::min<std::size_t>(recent_restarts_.size(), 10)), kLongestBackoff);
    recent_restarts_.push_back(std::chrono::steady_clock::now());
    ++restart_count_;
    log(fmt::format("restarting in {} ms ({} of {} restarts)", backoff / 1ms, recent_restarts_.size(),
                    spec_.restart.retries.value_or(kDefaultRetries)));
    const auto until = std::chrono::steady_clock::now() + backoff;
    const Condition stop_requested = [](const Machine& m) { return m.stop_requested_; };
    co_await wait(stop_requested, until);
    if (stop_requested_) break;
    source = "restart";
    start_source_ = "flyd";
  }
  set_state(MachineState::kStopped);
  record_event("stop", stop_requested_ ? "user" : "flyd", "");
}

Task<Result<>> Machine::open_guest() {
  struct Opened {
    netns::Guest guest;
    netns::SocketInventory inventory;
  };
  auto opened = co_await world_.backbone_thread->run([this]() -> Result<Opened> {
    auto guest = netns::Guest::create(spec_.guest);
    if (!guest) return guest.error();
    auto ns = netns::NetworkNamespace::of_process(guest->init_pid());
    if (!ns) return ns.error();
    if (auto attached = world_.backbone->attach(spec_.network, spec_.address, *ns); !attached) return attached.error();
    auto inventory = netns::SocketInventory::open(*ns);
    if (!inventory) return inventory.error();
    if (auto gone = guest->go(); !gone) return gone.error();
    return Opened{std::move(*guest), std::move(*inventory)};
  });
  if (!opened) co_return opened.error();
  findings_.clear();
  resuming_ = false;
  guest_.emplace(std::move(opened->guest));
  inventory_.emplace(std::move(opened->inventory));
  output_open_ = true;
  tasks_.spawn("output of machine " + id(), pump_output(guest_->take_output()));
  co_return Result<>();
}

Task<> Machine::watch_guest() {
  if (stop_requested_) guest_->kill();
  Descriptor control = watched(world_.executor, guest_->control_fd());
  for (;;) {
    auto event = guest_->next_event();
    if (!event) {
      co_await control.async_wait(Descriptor::wait_read, as_result);
      continue;
    }
    if (auto* started = std::get_if<netns::GuestStarted>(&*event)) {
      started_at_ = started->at;
      listened_at_.reset();
      if (!stop_requested_) set_state(MachineState::kStarted);
      record_event("start", start_source_ == "proxy" ? "proxy" : "flyd", start_source_ == "proxy" ? "started by the proxy" : "");
    } else if (std::holds_alternative<netns::GuestFrozen>(*event)) {
      if (state_ != MachineState::kSuspending) continue;
      set_state(MachineState::kSuspended);
      record_event("suspend", "flyd", "");
    } else if (std::holds_alternative<netns::GuestThawed>(*event)) {
      if (!resuming_ || stop_requested_) continue;
      set_state(MachineState::kStarted);
      record_event("start", start_source_ == "proxy" ? "proxy" : "flyd", start_source_ == "proxy" ? "resumed by the proxy" : "resumed");
    } else if (auto* exited = std::get_if<netns::GuestExited>(&*event)) {
      note_exit(exited->wait_status);
      co_return;
    } else {
      failure_ = std::get<netns::GuestFailed>(*event).error.message;
      log("could not start: " + failure_);
      set_state(MachineState::kFailed);
      record_event("start_failed", "flyd", failure_);
      co_return;
    }
  }
}

void Machine::note_exit(int wait_status) {
  MachineExit exit;
  if (WIFSIGNALED(wait_status)) exit.signal = WTERMSIG(wait_status);
  exit.exit_code = exit.signal ? 128 + *exit.signal : WEXITSTATUS(wait_status);
  exit.requested_stop = stop_requested_;
  exit.at = std::chrono::system_clock::now();
  const std::string how = exit.signal ? fmt::format("was killed by signal {} ({})", *exit.signal, signal_name(*exit.signal))
                                      : fmt::format("exited with code {}", exit.exit_code);
  last_exit_ = exit;
  log("main process " + how);
  record_event("exit", stop_requested_ ? "user" : "flyd", how);
}

Task<> Machine::pump_output(UniqueFd output) {
  Descriptor pipe(world_.executor, output.release());
  LineSplitter splitter;
  auto on_line = [this](std::string text) {
    world_.logs->append({LogLine::Source::kApp, std::chrono::system_clock::now(), spec_.record.app, id(),
                         spec_.record.region, std::move(text)});
  };
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    auto [error, n] = co_await pipe.async_read_some(asio::buffer(buffer), as_result);
    if (n > 0) splitter.feed({buffer.data(), n}, on_line);
    if (error) break;
  }
  splitter.finish(on_line);
  output_open_ = false;
  changed_.notify_all();
}

Task<> Machine::close_guest() {
  // The descriptors may end late when the machine wrote much; what was written is worth waiting for.
  const Condition output_ended = [](const Machine& m) { return !m.output_open_; };
  co_await wait(output_ended, std::chrono::steady_clock::now() + kOutputPatience);
  inventory_.reset();
  std::optional<netns::Guest> ending = std::exchange(guest_, std::nullopt);
  co_await world_.backbone_thread->run([this, &ending] {
    ending.reset();
    if (auto detached = world_.backbone->detach(spec_.network, spec_.address); !detached)
      spdlog::debug("machine {}: {}", id(), detached.error().message);
    return 0;
  });
}

bool Machine::wants_restart() {
  if (!last_exit_) return false;
  switch (spec_.restart.policy) {
    case config::RestartPolicy::kNever: return false;
    case config::RestartPolicy::kAlways: break;
    case config::RestartPolicy::kOnFailure:
      if (last_exit_->exit_code == 0) return false;
  }
  const auto now = std::chrono::steady_clock::now();
  while (!recent_restarts_.empty() && now - recent_restarts_.front() > kRetryWindow) recent_restarts_.pop_front();
  const int retries = spec_.restart.retries.value_or(kDefaultRetries);
  if (static_cast<int>(recent_restarts_.size()) < retries) return true;
  log(fmt::format("machine has reached its max restart count of {}", retries));
  return false;
}

Task<> Machine::stop(std::string source, std::optional<int> signal, std::optional<std::chrono::milliseconds> patience) {
  // A machine that was started anew by somebody else has been stopped in between.
  const Condition stopped = [run = runs_](const Machine& m) {
    return m.runs_ != run || m.state() == MachineState::kStopped || m.state() == MachineState::kFailed || m.state() == MachineState::kCreated;
  };
  if (stopped(*this)) co_return;
  const bool first = !stop_requested_;
  stop_requested_ = true;
  const bool frozen = is_suspended();
  const bool running = state_ == MachineState::kStarted || frozen;
  const bool starting = state_ == MachineState::kStarting && !frozen;
  if (running) set_state(MachineState::kStopping);
  // A frozen program takes no signal but SIGKILL.
  if (frozen && guest_)
    if (auto asked = guest_->thaw(); !asked) guest_->kill();
  changed_.notify_all();
  if (first) record_event("stopping", source, "");
  const int first_signal = signal.value_or(spec_.kill_signal);
  // One that is stopping already has its signal, and its time.
  if (guest_ && (running || starting || signal)) {
    if (first) log(fmt::format("stopping: sending {} to the main process", signal_name(first_signal)));
    if (first_signal == SIGKILL || starting) guest_->kill();
    else if (auto sent = guest_->signal(first_signal); !sent) guest_->kill();
  }
  const auto now = std::chrono::steady_clock::now();
  const bool stopped_in_time = co_await wait(stopped, now + patience.value_or(spec_.kill_timeout));
  if (stopped_in_time) co_return;
  if (guest_) {
    log(fmt::format("main process did not stop in {} ms: sending SIGTERM", patience.value_or(spec_.kill_timeout) / 1ms));
    if (auto sent = guest_->signal(SIGTERM); !sent) guest_->kill();
  }
  const bool stopped_by_term = co_await wait(stopped, std::chrono::steady_clock::now() + kTermPatience);
  if (stopped_by_term) co_return;
  if (guest_) {
    log("main process ignored SIGTERM: killing the machine");
    guest_->kill();
  }
  co_await wait(stopped, Timer::time_point::max());
}

Result<> Machine::signal(int signal) {
  if (!guest_ || state_ != MachineState::kStarted) return Error{fmt::format("machine {} is {}, not started", id(), name(state_))};
  return guest_->signal(signal);
}

Task<> Machine::shutdown() {
  closing_ = true;
  co_await stop("user");
  co_await checks_.close();
  tasks_.cancel();
  co_await tasks_.wait();
}

}  // namespace flylocal::sandbox
