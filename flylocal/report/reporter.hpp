#pragma once

#include <chrono>
#include <functional>

#include "flylocal/report/report.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::report {

/// How long a report waits for servers that start slowly: the longest grace_period of the app's checks, at
/// least 15 s (platform facts 8).
std::chrono::milliseconds patience(const sandbox::Sandbox& sandbox);

/// Looks at every TCP service of every machine, by its sockets and by real connects, until each verdict is
/// certain or the time is over. A port that answers is certain at once; one that is bound where Fly Proxy cannot
/// reach it, when that has been so for two seconds; anything else only at the deadline, since the server may
/// still be starting. Tells each machine's findings to the proxy.
///
/// `on_early` (may be empty) is called once for each port that is not certain after two seconds, with what is seen so
/// far. A process group without TCP services is looked at, too: its program must keep running.
using EarlyFinding = std::function<void(const Finding&)>;
Task<Report> make_report(sandbox::Sandbox& sandbox, std::chrono::milliseconds time_limit, const EarlyFinding& on_early);

}  // namespace flylocal::report
