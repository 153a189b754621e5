#include "flylocal/cli/config_commands.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/config/config_json.hpp"
#include "flylocal/config/fly_toml.hpp"
#include "flylocal/project/load.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;

std::filesystem::path fly_toml(const ConfigOptions& options) {
  return options.file.empty() ? options.directory / "fly.toml" : std::filesystem::path(options.file);
}

}  // namespace

int config_validate(const ConfigOptions& options) {
  const config::ParsedConfig parsed = config::load_fly_toml(fly_toml(options));
  std::vector<std::string> other_problems, notes;
  if (parsed.config) {
    auto loaded = project::load_project(options.directory, {std::nullopt, options.file.empty() ? std::nullopt : std::optional(options.file)});
    other_problems = loaded.problems;
    std::set<std::string> said;
    for (const config::Problem& problem : parsed.problems) said.insert(config::render(problem));
    for (const std::string& note : loaded.notes)
      if (!said.contains(note)) notes.push_back(note);
  }
  const bool valid = parsed.config && other_problems.empty();
  if (options.json) {
    json::array problems;
    for (const config::Problem& problem : parsed.problems) problems.push_back(config::to_json(problem));
    for (const std::string& problem : other_problems) problems.push_back({{"severity", "error"}, {"message", problem}});
    for (const std::string& note : notes) problems.push_back({{"severity", "notice"}, {"message", note}});
    say(json::serialize(json::object{{"valid", valid}, {"problems", std::move(problems)}}));
  } else {
    for (const config::Problem& problem : parsed.problems) fmt::print(stderr, "{}\n", config::render(problem));
    for (const std::string& note : notes) fmt::print(stderr, "{}\n", printable(note));
    for (const std::string& problem : other_problems) fmt::print(stderr, "{}\n", printable_lines(problem));
    if (valid) say(fmt::format("{} is valid", fly_toml(options).string()));
  }
  return valid ? kOk : kProblem;
}

int config_show(const ConfigOptions& options) {
  const config::ParsedConfig parsed = config::load_fly_toml(fly_toml(options));
  for (const config::Problem& problem : parsed.problems)
    if (problem.severity == config::Problem::Severity::kError) fmt::print(stderr, "{}\n", config::render(problem));
  if (!parsed.config) return kProblem;
  say(json::serialize(config::to_json(*parsed.config)));
  return kOk;
}

}  // namespace flylocal::cli
