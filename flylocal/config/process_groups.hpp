#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/config/app_config.hpp"

/// Process groups: which part of fly.toml each machine gets (platform.md 7.7).
namespace flylocal::config {

/// The size of a machine after `size` and its overrides are worked out.
struct GuestSize {
  std::string cpu_kind = "shared";
  int cpus = 1;
  int memory_mb = 256;
};

/// The configuration of the machines of one process group.
struct GroupConfig {
  std::string group;
  std::optional<std::string>
      command;  ///< from [processes]; absent or empty there: the image's or experimental.cmd
  std::vector<Service> services;  ///< [http_service] first, expanded to ports 80 and 443
  std::vector<TopLevelCheck> checks;
  std::optional<Mount> mount;
  std::vector<GuestFile> files;
  std::vector<StaticMapping> statics;
  Restart restart;  ///< on-failure where the file is silent
  GuestSize guest;
  std::optional<Metrics> metrics;
  /// [env] with what flyctl adds: PRIMARY_REGION and FLY_PROCESS_GROUP (platform.md 1.4).
  std::map<std::string, std::string> env;
  KillSignal kill_signal = KillSignal::kInt;
  Duration kill_timeout{};
  std::optional<int> swap_size_mb;
};

/// The names of the groups, sorted; `app` alone where the file has no [processes].
std::vector<std::string> process_groups(const AppConfig& config);

/// The group that entries without `processes` belong to: `app` if there is one, else the alphabetically
/// first.
std::string default_group(const AppConfig& config);

/// What the machines of `group` get. A name that is not among process_groups() gets what applies to all
/// groups.
GroupConfig flatten(const AppConfig& config, std::string_view group);

/// [http_service] as the service it stands for: tcp, port 80 with http and port 443 with http and tls (7.3).
Service as_service(const HttpService& service);

}  // namespace flylocal::config
