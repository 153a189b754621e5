#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "flylocal/config/fly_toml.hpp"
#include "flylocal/project/app_spec.hpp"

namespace flylocal::report::tests {

/// The app of a fly.toml (whose first line, the name, is put in front), with the groups that the file makes.
inline project::AppSpec app(std::string_view fly_toml) {
  const config::ParsedConfig parsed = config::parse_fly_toml("app = \"shop\"\n" + std::string(fly_toml), "fly.toml");
  for (const config::Problem& problem : parsed.problems) UNSCOPED_INFO(config::render(problem));
  REQUIRE(parsed.config);
  project::AppSpec result;
  result.name = parsed.config->app;
  for (const std::string& group : config::process_groups(*parsed.config)) result.groups[group].config = config::flatten(*parsed.config, group);
  return result;
}

}  // namespace flylocal::report::tests
