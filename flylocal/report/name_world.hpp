#pragma once

#include <string_view>

#include "flylocal/report/name_explanation.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::report {

/// What the sandbox knows now that bears on `name`, as asked by a machine of `asker`.
Task<NameWorld> view_names(sandbox::Sandbox& sandbox, const project::AppSpec& asker, std::string_view name);

/// The search domains in the text of a resolv.conf(5): the last `search` or `domain` line counts.
std::vector<std::string> parse_search_domains(std::string_view text);

}  // namespace flylocal::report
