#pragma once

#include <string>

#include "flylocal/report/report.hpp"

namespace flylocal::cli {

/// The report for people: a line per service port and machine with both paths, and the cause below.
std::string report_text(const report::Report& report);

}  // namespace flylocal::cli
