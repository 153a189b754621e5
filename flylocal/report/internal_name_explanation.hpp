#pragma once

#include <string_view>

#include "flylocal/report/name_form.hpp"
#include "flylocal/report/visible_apps.hpp"

namespace flylocal::report {

/// Why `name`, which has `below_internal` in front of .internal, has an address, or none. The explanation's name is not set.
NameExplanation explain_internal_name(std::string_view name, const Labels& below_internal, const NameWorld& world, const VisibleApps& apps);

}  // namespace flylocal::report
