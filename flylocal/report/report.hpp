#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

namespace flylocal::report {

/// Whether a path to a port works, by a real connect.
enum class Path { kReachable, kRefused, kTimedOut, kUntried };

/// What the report says of one service port of one machine. The code is stable; the words may change.
struct Finding {
  /// kOk: Fly Proxy reaches it. kPending: too early to tell. kProblem: it will not work on Fly.io as it is.
  enum class Severity { kOk, kPending, kProblem } severity = Severity::kPending;
  std::string code;  ///< e.g. "loopback-only"
  std::string app, process_group, machine, region;
  std::uint16_t port = 0;  ///< the service's internal_port
  Path proxy = Path::kUntried;   ///< from the backbone to the private IPv4, as Fly Proxy connects
  Path six_pn = Path::kUntried;  ///< from a peer of the same network to the 6PN address
  std::string sentence;  ///< the cause, in one sentence
};

struct Report {
  std::vector<Finding> findings;
  bool has_problems() const;
};

std::string_view name(Path path);
std::string_view name(Finding::Severity severity);
boost::json::value to_json(const Report& report);
/// The report that to_json() wrote; unknown words count as untried and pending.
Report from_json(const boost::json::value& value);

}  // namespace flylocal::report
