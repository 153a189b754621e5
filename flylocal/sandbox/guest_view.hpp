#pragma once

#include <string>
#include <vector>

#include "flylocal/project/app_spec.hpp"
#include "flylocal/store/store.hpp"
#include "netns/backbone.hpp"
#include "netns/guest.hpp"
#include "netns/privilege.hpp"

/// What a program sees of the platform: files, environment, user. platform facts 1.2 to 1.5
namespace flylocal::sandbox {

/// /etc/hosts, /etc/resolv.conf and /etc/hostname of a machine.
std::vector<netns::GuestFile> guest_files(const store::MachineRecord& machine, const netns::GuestNetwork& address);

/// The environment, "NAME=value", in the platform's order of precedence: the image's ENV, [env] of fly.toml and
/// of flylocal.toml, secrets, and on top FLY_* and PRIMARY_REGION. HOME is filled in where none of them sets it.
std::vector<std::string> guest_environment(const project::AppSpec& app, const project::GroupSpec& group,
                                           const store::MachineRecord& machine, const std::string& instance_id,
                                           const std::string& home);

/// The ids for a `USER` of an image (name or number, with or without ":group").
struct RunUser {
  std::optional<netns::GuestUser> user;  ///< none: root of the machine
  std::string home;
  std::string note;  ///< why it is not the wanted one; empty when it is
};
RunUser find_run_user(const std::string& wanted, const netns::Privilege& privilege);

}  // namespace flylocal::sandbox
