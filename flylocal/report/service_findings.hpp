#pragma once

#include <optional>
#include <set>
#include <vector>

#include "flylocal/project/app_spec.hpp"
#include "flylocal/report/report.hpp"

namespace flylocal::report {

/// What fly.toml alone tells of a process group's services: combinations that Fly.io takes and that do not work there.
/// `app.ip_addresses` (flylocal.toml) is what the app has on Fly.io, where the user said so; without it, what depends
/// on it is a note.
std::vector<Result> service_findings(const project::AppSpec& app, const config::GroupConfig& group);

}  // namespace flylocal::report
