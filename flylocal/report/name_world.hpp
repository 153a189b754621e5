#pragma once

#include <string_view>

#include "flylocal/report/name_explanation.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::report {

/// What the sandbox knows now that bears on `name`, as asked by a machine of `asker`.
Task<NameWorld> view_names(sandbox::Sandbox& sandbox, const project::AppSpec& asker, std::string_view name);

}  // namespace flylocal::report
