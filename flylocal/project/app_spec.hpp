#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "flylocal/config/process_groups.hpp"
#include "flylocal/launch/launch_plan.hpp"
#include "flylocal/launch/project_file.hpp"

namespace flylocal::project {

/// How many machines of a group run where.
struct Placement {
  std::string region;
  int count = 1;
};

/// One process group: what its machines are and what they run.
struct GroupSpec {
  config::GroupConfig config;
  launch::LaunchPlan launch;
  std::vector<Placement> placements;
};

/// One app, read from its project directory: everything the sandbox has to know of it.
struct AppSpec {
  std::string name;
  /// Made by flylocal itself, as a place to run things on the network: no report speaks of it.
  bool is_fixture = false;
  std::filesystem::path directory;
  std::string organization;
  std::string network;
  std::string primary_region;
  std::map<std::string, GroupSpec> groups;
  /// flylocal.toml's [env] and the secrets file, in that order of precedence over fly.toml's [env].
  std::map<std::string, std::string> local_env;
  std::map<std::string, std::string> secrets;
  /// flylocal.toml's [ports]: external port -> port on the host.
  std::map<std::uint16_t, std::uint16_t> host_ports;
  /// flylocal.toml's [edges]: region -> port on the host whose clients come in there, to port 80.
  std::map<std::string, std::uint16_t> edges;
  /// flylocal.toml's [[expect]]: ports that other machines must reach over 6PN.
  std::vector<std::uint16_t> six_pn_ports;
  /// flylocal.toml's ip_addresses: what the app has on Fly.io; empty: not said.
  std::set<launch::IpAddressKind> ip_addresses;
  /// flylocal.toml's domains: host names of the app beside its own under fly.dev, in lower case.
  std::vector<std::string> domains;
  /// flylocal.toml's [dns].
  launch::DnsChoices dns;
};

}  // namespace flylocal::project
