#include "flylocal/sandbox/app_addresses.hpp"

#include <algorithm>
#include <set>

namespace flylocal::sandbox {
namespace {

using launch::IpAddressKind;

bool has_service(const project::AppSpec& app) {
  return std::any_of(app.groups.begin(), app.groups.end(), [](const auto& group) { return !group.second.config.services.empty(); });
}

std::set<IpAddressKind> kinds_of(const project::AppSpec& app) {
  if (!app.ip_addresses.empty()) return app.ip_addresses;
  if (has_service(app)) return {IpAddressKind::kSharedV4, IpAddressKind::kV6};
  return {};
}

}  // namespace

std::map<std::string, AppAddresses> app_addresses(const std::vector<project::AppSpec>& apps, const NetworkNumbers& networks) {
  std::set<std::string> names;
  for (const project::AppSpec& app : apps) names.insert(app.name);
  const std::map<std::string, platform::AppNumber> numbers = platform::app_numbers(names);
  std::map<std::string, AppAddresses> result;
  for (const project::AppSpec& app : apps) {
    const platform::AppNumber number = numbers.at(app.name);
    const std::set<IpAddressKind> kinds = kinds_of(app);
    AppAddresses& addresses = result[app.name];
    if (kinds.contains(IpAddressKind::kV4) || kinds.contains(IpAddressKind::kSharedV4)) addresses.public_ipv4 = platform::public_ipv4(number);
    if (kinds.contains(IpAddressKind::kV6)) addresses.public_ipv6 = platform::public_ipv6(number);
    if (kinds.contains(IpAddressKind::kPrivateV6))
      addresses.flycast = platform::flycast_address(networks.at({app.organization, app.network}), number);
  }
  return result;
}

}  // namespace flylocal::sandbox
