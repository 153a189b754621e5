#pragma once

#include <string>

#include "flylocal/report/report.hpp"

namespace flylocal::cli {

/// The report for people: a heading per machine, a line per path, below it what is not as it should be and how to mend it, and
/// how many problems there are at the end. Without a line feed at its end. Coloured on a terminal.
std::string report_text(const report::Report& report);

/// What to tell while a report takes its time: for what it waits.
std::string waiting_text(const report::MachineReport& machine, const report::Result& result);

/// What to tell while the sandbox runs when a verdict changes: what it was and is, and below it the message where it is not well.
/// Without a line feed at its end. Both results are of `machine`, and of the same path, port and target; one of them may be null:
/// then it is new, or gone.
std::string change_text(const report::MachineReport& machine, const report::Result* before, const report::Result* now);

}  // namespace flylocal::cli
