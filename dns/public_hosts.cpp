#include "dns/public_hosts.hpp"

namespace flylocal::dns {

PublicHosts::PublicHosts(std::vector<PublicHost> hosts) : hosts_(std::move(hosts)) {
  for (const auto& host : hosts_) {
    const auto name = Name::from_text(host.name);
    if (!name) continue;
    auto [entry, is_new] = names_.try_emplace(std::string(name->lower_case().wire()));
    if (!is_new) continue;
    if (host.ipv4) entry->second.ipv4.add(*host.ipv4);
    if (host.ipv6) entry->second.ipv6.add(*host.ipv6);
  }
}

void PublicHosts::find(std::string_view wire, Finding& finding) const {
  const auto found = names_.find(wire);
  if (found == names_.end()) return;
  finding.add(found->second.ipv4);
  finding.add(found->second.ipv6);
}

}  // namespace flylocal::dns
