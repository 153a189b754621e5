#pragma once

#include <optional>
#include <string>
#include <vector>

/// The commands that speak to a running sandbox and end. Each returns an ExitCode.
namespace flylocal::cli {

struct StatusOptions {
  bool json = false;
};
int status(const StatusOptions& options);

struct LogsOptions {
  bool follow = false;
  bool json = false;
  std::string app, machine;
};
int logs(const LogsOptions& options);

int down();

struct MachineListOptions {
  std::string app;
  bool json = false;
};
int machine_list(const MachineListOptions& options);

/// start, stop, restart, kill, suspend, cordon or uncordon, for each of the machines.
struct MachineActionOptions {
  std::string action;
  std::vector<std::string> machines;
  std::string signal;   ///< of stop and restart
  std::string timeout;  ///< of stop and restart, e.g. 10s
};
int machine_action(const MachineActionOptions& options);

struct ChecksListOptions {
  std::string app;
  bool json = false;
};
int checks_list(const ChecksListOptions& options);

/// One autostop pass, now.
struct TickOptions {
  bool json = false;
};
int tick(const TickOptions& options);

struct ScaleOptions {
  std::vector<std::string> counts;  ///< "3" or "web=2"
  std::string app, region, process_group;
};
int scale_count(const ScaleOptions& options);

}  // namespace flylocal::cli
