#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string_view>

#include "flylocal/base/result.hpp"
#include "flylocal/report/report.hpp"

namespace flylocal::report {

/// Names the form of the JSON, and stays as it is while readers of it need not change: keys may be added.
inline constexpr std::string_view kReportSchema = "flylocal.report/1";

/// The report for programs. Durations are numbers of milliseconds. Octets of a program's text that are no UTF-8 become
/// U+FFFD; all else comes back from from_json() as it was.
boost::json::object to_json(const Report& report);

/// The report that to_json() made. "ok", "reachable" and "on_fly" (explanation.hpp) follow from the rest and are not looked at; keys that this version
/// does not know are left out. The Error names the first key that is missing or has a value that it cannot have, as
/// "machines[0].results[2].port".
flylocal::Result<Report> from_json(const boost::json::value& value);

}  // namespace flylocal::report
