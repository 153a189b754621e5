#include "flylocal/report/name_form.hpp"

#include <algorithm>
#include <set>

#include "dns/label_form.hpp"

namespace flylocal::report {
namespace {

using Kind = AppForm::Kind;

bool is_half(const Labels& below_app) {
  static const std::set<Labels> kHalves{{"vm"}, {"process"}, {"all"}, {"of"}, {"nearest", "of"}, {"_metadata"}, {"kv", "_metadata"}};
  const bool lacks_value = below_app.size() == 3 && below_app[1] == "kv" && below_app[2] == "_metadata";
  return lacks_value || kHalves.contains(below_app);
}

}  // namespace

Labels labels_of(std::string_view name) {
  Labels labels;
  while (!name.empty()) {
    labels.emplace_back(name.substr(0, name.find('.')));
    name.remove_prefix(std::min(labels.back().size() + 1, name.size()));
  }
  return labels;
}

AppForm app_form(const Labels& below) {
  static const std::set<Labels> kTexts{{"vms"}, {"regions"}, {"all", "vms"}, {"all", "regions"}};
  if (below.empty() || below == Labels{"global"}) return {Kind::kAll, {}, {}, 0};
  if (kTexts.contains(below)) return {Kind::kText, {}, {}, 0};
  if (is_half(below)) return {Kind::kHalf, {}, {}, 0};
  if (below.size() == 1 && dns::is_region_form(below[0])) return {Kind::kRegion, below[0], {}, 0};
  if (below.size() == 2 && below[1] == "vm") return {Kind::kMachine, below[0], {}, 0};
  if (below.size() == 2 && below[1] == "process") return {Kind::kGroup, below[0], {}, 0};
  if (below.size() == 4 && below[2] == "kv" && below[3] == "_metadata") return {Kind::kMetadata, below[0], below[1], 0};
  if (below.size() == 3 && below[1] == "nearest" && below[2] == "of")
    if (const auto count = dns::top_count(below[0])) return {Kind::kNearest, {}, {}, *count};
  return {};
}

SpecialForm special_form(const Labels& below_internal) {
  static const std::set<Labels> kTexts{{"_apps"}, {"_peer"}, {"_instances"}, {"all", "_instances"}};
  if (kTexts.contains(below_internal)) return SpecialForm::kText;
  if (below_internal == Labels{"_api"}) return SpecialForm::kApi;
  if (below_internal.size() == 2 && below_internal[1] == "_peer") return SpecialForm::kPeer;
  return SpecialForm::kNone;
}

bool is_reverse_form(std::string_view name) {
  return name == "arpa" || name == "in-addr.arpa" || name == "ip6.arpa" || name.ends_with(".in-addr.arpa") || name.ends_with(".ip6.arpa");
}

std::string_view host_within(std::string_view text) {
  const std::size_t scheme = text.find("://");
  std::string_view host = scheme == std::string_view::npos ? text : text.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  const std::size_t colon = host.find(':');
  if (colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos) host = host.substr(0, colon);
  return host.size() == text.size() ? std::string_view{} : host;
}

}  // namespace flylocal::report
