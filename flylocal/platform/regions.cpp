#include "flylocal/platform/regions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace flylocal::platform {
namespace {

constexpr Region kRegions[] = {
    {"ams", 52.4, 4.9},    {"arn", 59.3, 18.1},   {"bom", 19.1, 72.9},   {"cdg", 48.9, 2.4},    {"dfw", 32.8, -96.8},
    {"ewr", 40.8, -74.1},  {"fra", 50.1, 8.7},    {"gru", -23.5, -46.6}, {"iad", 39.0, -77.5},  {"jnb", -26.2, 28.0},
    {"lax", 34.1, -118.2}, {"lhr", 51.5, -0.1},   {"nrt", 35.7, 139.7},  {"ord", 41.9, -87.6},  {"sin", 1.35, 103.8},
    {"sjc", 37.3, -121.9}, {"syd", -33.9, 151.2}, {"yyz", 43.7, -79.4},
};

constexpr double kEarthRadiusKm = 6371.0;

const Region* find(std::string_view code) {
  const auto* const found = std::find_if(std::begin(kRegions), std::end(kRegions), [&](const Region& one) { return one.code == code; });
  return found == std::end(kRegions) ? nullptr : found;
}

/// The haversine formula, which is exact enough for small distances, too.
double great_circle_km(const Region& from, const Region& to) {
  const auto radians = [](double degrees) { return degrees * std::numbers::pi / 180; };
  const double sine_of_latitude = std::sin(radians(to.latitude - from.latitude) / 2);
  const double sine_of_longitude = std::sin(radians(to.longitude - from.longitude) / 2);
  const double chord = sine_of_latitude * sine_of_latitude +
                       std::cos(radians(from.latitude)) * std::cos(radians(to.latitude)) * sine_of_longitude * sine_of_longitude;
  return 2 * kEarthRadiusKm * std::asin(std::min(1.0, std::sqrt(chord)));
}

}  // namespace

std::span<const Region> regions() { return kRegions; }

std::optional<double> distance_km(std::string_view from, std::string_view to) {
  const Region* const here = find(from);
  const Region* const there = find(to);
  if (!here || !there) return std::nullopt;
  return great_circle_km(*here, *there);
}

std::map<std::string, std::vector<std::string>> nearest_regions(const std::set<std::string>& further) {
  std::set<std::string> codes = further;
  for (const Region& region : kRegions) codes.emplace(region.code);
  std::map<std::string, std::vector<std::string>> nearest;
  for (const std::string& from : codes) {
    const auto rank = [&](const std::string& to) {
      if (to == from) return -1.0;
      // From a place that is not known, every other one is equally far, but for those that are not known either.
      if (find(from) == nullptr) return find(to) == nullptr ? std::numeric_limits<double>::infinity() : 0.0;
      return distance_km(from, to).value_or(std::numeric_limits<double>::infinity());
    };
    std::vector<std::pair<double, std::string>> ranked;
    for (const std::string& to : codes) ranked.emplace_back(rank(to), to);
    std::sort(ranked.begin(), ranked.end());
    for (auto& [distance, to] : ranked) nearest[from].push_back(std::move(to));
  }
  return nearest;
}

}  // namespace flylocal::platform
