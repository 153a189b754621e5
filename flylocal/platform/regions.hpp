#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Where the platform's regions are, and which is near to which (platform facts 5.8).
namespace flylocal::platform {

struct Region {
  std::string_view code;
  double latitude;   ///< degrees, north is positive
  double longitude;  ///< degrees, east is positive
};

/// The regions of today, by code. Retired ones (sea, hkg, ...) are no error anywhere: their place is just not known.
std::span<const Region> regions();

/// The great-circle distance of two regions in kilometres; nothing where the place of one is not known.
std::optional<double> distance_km(std::string_view from, std::string_view to);

/// For each region the list of all, nearest first, itself in front. Regions are those of regions() and `further` ones;
/// those whose place is not known come last. What is equally far is in the order of the codes.
std::map<std::string, std::vector<std::string>> nearest_regions(const std::set<std::string>& further = {});

}  // namespace flylocal::platform
