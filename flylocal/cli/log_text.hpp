#pragma once

#include <string>

#include "flylocal/sandbox/log_hub.hpp"

namespace flylocal::cli {

/// A log line as people see it: `hello[3d8d413b29d089] iad  text`; lines of flylocal itself are dim.
std::string log_text(const sandbox::LogLine& line);

}  // namespace flylocal::cli
