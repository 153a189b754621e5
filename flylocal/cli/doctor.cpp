#include "flylocal/cli/doctor.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "netns/support.hpp"

namespace flylocal::cli {

namespace json = boost::json;
using Outcome = netns::SupportCheck::Outcome;

int doctor(const DoctorOptions& options) {
  const auto checks = netns::check_support();
  bool failed = checks.empty();
  json::array list;
  for (const netns::SupportCheck& check : checks) {
    failed |= check.outcome == Outcome::kFailed;
    const char* outcome = check.outcome == Outcome::kOk ? "ok" : check.outcome == Outcome::kDegraded ? "degraded" : "failed";
    if (options.json) {
      json::array ways;
      for (const std::string& way : check.ways_out) ways.push_back(json::string(way));
      list.push_back({{"name", check.name}, {"outcome", outcome}, {"found", check.found}, {"ways_out", std::move(ways)}});
      continue;
    }
    const Colour colour = check.outcome == Outcome::kOk ? Colour::kGreen : check.outcome == Outcome::kDegraded ? Colour::kYellow : Colour::kRed;
    fmt::print("{} {}: {}\n", paint(colour, fmt::format("{:<8}", outcome)), check.name, check.found);
    for (const std::string& way : check.ways_out) fmt::print("           way out: {}\n", way);
  }
  if (options.json) say(json::serialize(json::object{{"ok", !failed}, {"checks", std::move(list)}}));
  else say(failed ? "flylocal cannot run here as it is." : "flylocal can run here.");
  return failed ? kCannotRun : kOk;
}

}  // namespace flylocal::cli
