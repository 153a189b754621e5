#include "flylocal/report/visible_apps.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "dns/name.hpp"
#include "flylocal/config/closest_name.hpp"

namespace flylocal::report {

VisibleApps::VisibleApps(const NameWorld& world) : world_(world) {
  for (const NameWorld::App& app : world.apps) (is_near(app) ? near_ : far_).push_back(&app);
}

const NameWorld::App* VisibleApps::find(std::string_view name) const {
  for (const auto* apps : {&near_, &far_})
    for (const NameWorld::App* app : *apps)
      if (lower_text(app->name) == name) return app;
  return nullptr;
}

std::vector<std::string> VisibleApps::near_names() const {
  std::vector<std::string> names;
  for (const NameWorld::App* app : near_) names.push_back(lower_text(app->name));
  return names;
}

NameExplanation explained(std::string code, std::optional<bool> resolves, std::string title, std::string found, std::string on_fly, std::string fix) {
  NameExplanation out;
  out.code = std::move(code);
  out.resolves = resolves;
  out.title = std::move(title);
  out.found = std::move(found);
  out.on_fly = std::move(on_fly);
  out.fix = std::move(fix);
  return out;
}

NameExplanation explained_as_far(const NameWorld::App& app, const NameWorld& world, std::string found, std::string on_fly, std::string fix) {
  return explained("other-network", false, fmt::format("app {} is in network {}, and {} asks from {}", app.name, app.network, world.asker, world.network),
                   std::move(found), std::move(on_fly), std::move(fix));
}

std::string list_text(const std::vector<std::string>& words) {
  if (words.empty()) return "none";
  if (words.size() == 1) return words.front();
  return fmt::format("{} and {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

std::string lower_text(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return dns::lower_case(c); });
  return result;
}

std::string closest_word(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  return std::string(config::closest_name(word, views));
}

}  // namespace flylocal::report
