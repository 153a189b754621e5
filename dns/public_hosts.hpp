#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns/finding.hpp"
#include "dns/label_text.hpp"
#include "dns/world.hpp"

namespace flylocal::dns {

/// The public names that lead to the sandbox's proxy. Immutable.
class PublicHosts {
 public:
  /// What is no domain name is left out; of hosts with the same name the first counts.
  explicit PublicHosts(std::vector<PublicHost> hosts);

  const std::vector<PublicHost>& hosts() const { return hosts_; }

  /// `wire` is a lower-case wire form. Exactly the given names exist, and nothing below them.
  void find(std::string_view wire, Finding& finding) const;

 private:
  struct Records {
    RecordSet ipv4{RecordType::a};
    RecordSet ipv6{RecordType::aaaa};
  };
  std::vector<PublicHost> hosts_;
  std::unordered_map<std::string, Records, KeyHash, std::equal_to<>> names_;
};

}  // namespace flylocal::dns
