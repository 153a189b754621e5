#include "flylocal/report/name_form.hpp"

#include <algorithm>
#include <set>

namespace flylocal::report {
namespace {

using Kind = AppForm::Kind;

/// The N of `topN`, a decimal number from 1 on, as the resolver reads it.
std::optional<std::size_t> top_count(std::string_view label) {
  constexpr std::string_view kTop = "top";
  constexpr std::size_t kMost = 100'000;
  if (!label.starts_with(kTop)) return std::nullopt;
  label.remove_prefix(kTop.size());
  if (label.empty() || label.front() == '0') return std::nullopt;
  std::size_t count = 0;
  for (char c : label) {
    if (c < '0' || c > '9') return std::nullopt;
    count = std::min(kMost, count * 10 + static_cast<std::size_t>(c - '0'));
  }
  return count;
}

bool is_region_form(std::string_view label) {
  return label.size() == 3 && std::all_of(label.begin(), label.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

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
  if (below.size() == 1 && is_region_form(below[0])) return {Kind::kRegion, below[0], {}, 0};
  if (below.size() == 2 && below[1] == "vm") return {Kind::kMachine, below[0], {}, 0};
  if (below.size() == 2 && below[1] == "process") return {Kind::kGroup, below[0], {}, 0};
  if (below.size() == 4 && below[2] == "kv" && below[3] == "_metadata") return {Kind::kMetadata, below[0], below[1], 0};
  if (below.size() == 3 && below[1] == "nearest" && below[2] == "of")
    if (const auto count = top_count(below[0])) return {Kind::kNearest, {}, {}, *count};
  return {};
}

SpecialForm special_form(const Labels& below_internal) {
  static const std::set<Labels> kTexts{{"_apps"}, {"_peer"}, {"_instances"}, {"all", "_instances"}};
  if (kTexts.contains(below_internal)) return SpecialForm::kText;
  if (below_internal == Labels{"_api"}) return SpecialForm::kApi;
  if (below_internal.size() == 2 && below_internal[1] == "_peer") return SpecialForm::kPeer;
  return SpecialForm::kNone;
}

bool is_machine_id_form(std::string_view label) {
  constexpr std::size_t kIdSize = 14;
  return label.size() == kIdSize && label.find_first_not_of("0123456789abcdef") == std::string_view::npos;
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
