#include "flylocal/sandbox/guest_view.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <cstdlib>

namespace flylocal::sandbox {
namespace {

std::optional<std::uint32_t> as_number(std::string_view text) {
  std::uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<gid_t> groups_of(const char* user, gid_t primary) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(user, primary, groups.data(), &count) < 0) return {primary};
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

std::string own_home() {
  const char* home = std::getenv("HOME");
  return home && *home ? home : "/";
}

}  // namespace

std::vector<netns::GuestFile> guest_files(const store::MachineRecord& machine, const netns::GuestNetwork& address) {
  // The init's form: an empty line, a comment, and address TAB name, since deployed scripts cut at the tab.
  const std::string hosts = fmt::format(
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
      "\n# Address in the 6PN private network for this app\n{}\tfly-local-6pn\n"
      "\n# Private address for this instance\n{}\t{}\n"
      "\n# Address used for global traffic routing\n{}\tfly-global-services\n",
      address.six_pn.to_string(), address.private_ipv4.to_string(), machine.id, address.global_services().to_string());
  return {{"/etc/hosts", hosts},
          {"/etc/resolv.conf", fmt::format("nameserver\t{}\n", netns::resolver_address().to_string())},
          {"/etc/hostname", machine.id + "\n"}};
}

std::vector<std::string> guest_environment(const project::AppSpec& app, const project::GroupSpec& group,
                                           const store::MachineRecord& machine, const std::string& instance_id,
                                           const std::string& home) {
  std::map<std::string, std::string> env;
  for (const launch::ImageVariable& variable : group.launch.env) env[variable.name] = variable.value;
  for (const auto& [name, value] : group.config.env) env[name] = value;
  for (const auto& [name, value] : app.local_env) env[name] = value;
  for (const auto& [name, value] : app.secrets) env[name] = value;
  env.emplace("HOME", home);
  env["FLY_APP_NAME"] = app.name;
  env["FLY_MACHINE_ID"] = env["FLY_ALLOC_ID"] = machine.id;
  env["FLY_REGION"] = machine.region;
  env["FLY_PRIVATE_IP"] = machine.six_pn.to_string();
  env["FLY_IMAGE_REF"] = fmt::format("registry.fly.io/{}:deployment-{}", app.name, instance_id);
  env["FLY_MACHINE_VERSION"] = instance_id;
  env["FLY_VM_MEMORY_MB"] = std::to_string(group.config.guest.memory_mb);
  env["FLY_PROCESS_GROUP"] = group.config.group;
  env["PRIMARY_REGION"] = app.primary_region;
  std::vector<std::string> result;
  for (const auto& [name, value] : env) result.push_back(name + "=" + value);
  return result;
}

RunUser find_run_user(const std::string& wanted, const netns::Privilege& privilege) {
  RunUser root{std::nullopt, own_home(), {}};
  const std::size_t colon = wanted.find(':');
  const std::string user = wanted.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : wanted.substr(colon + 1);
  if (user.empty() || user == "root" || user == "0") return root;

  netns::GuestUser ids;
  std::string home = "/";
  const auto number = as_number(user);
  const passwd* entry = number ? ::getpwuid(*number) : ::getpwnam(user.c_str());
  if (!entry && !number) {
    root.note = fmt::format("USER {}: no such user here; the program runs as the machine's root", wanted);
    return root;
  }
  ids.uid = entry ? entry->pw_uid : *number;
  ids.gid = entry ? entry->pw_gid : *number;
  if (entry) {
    home = entry->pw_dir;
    ids.groups = groups_of(entry->pw_name, entry->pw_gid);
  }
  if (!group.empty()) {
    const auto group_number = as_number(group);
    const ::group* named = group_number ? nullptr : ::getgrnam(group.c_str());
    if (!group_number && !named) {
      root.note = fmt::format("USER {}: no such group here; the program runs as the machine's root", wanted);
      return root;
    }
    ids.gid = group_number ? *group_number : named->gr_gid;
    ids.groups = {ids.gid};
  }
  if (!privilege.can_become(ids.uid, ids.gid)) {
    root.note = fmt::format("USER {}: this user does not exist inside an unprivileged sandbox (see `flylocal doctor`); the "
                            "program runs as the machine's root", wanted);
    return root;
  }
  std::erase_if(ids.groups, [&](gid_t id) { return !privilege.can_become(ids.uid, id); });
  return {ids, home, {}};
}

}  // namespace flylocal::sandbox
