#include "flylocal/report/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flylocal::report {

bool Report::is_good() const {
  return std::all_of(machines.begin(), machines.end(), [](const MachineReport& machine) {
    return std::none_of(machine.results.begin(), machine.results.end(), [](const Result& result) {
      return result.severity == Severity::kProblem || result.severity == Severity::kPending;
    });
  });
}

std::string_view name(Path path) {
  switch (path) {
    case Path::kProxy: return "proxy";
    case Path::k6pn: return "6pn";
    case Path::kPublished: return "published";
    case Path::kUdp: return "udp";
    case Path::kCheck: return "check";
    case Path::kDns: return "dns";
  }
  return "";
}

std::string_view name(Reach reach) {
  switch (reach) {
    case Reach::kReachable: return "reachable";
    case Reach::kRefused: return "refused";
    case Reach::kTimedOut: return "timed out";
    case Reach::kUntried: return "untried";
  }
  return "";
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "ok";
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kPending: return "pending";
    case Severity::kProblem: return "problem";
  }
  return "";
}

std::string_view name(Listener::Protocol protocol) {
  switch (protocol) {
    case Listener::Protocol::kTcp: return "tcp";
    case Listener::Protocol::kUdp: return "udp";
  }
  return "";
}

std::string endpoint(const Listener& listener) {
  return listener.address.find(':') == std::string::npos ? fmt::format("{}:{}", listener.address, listener.port)
                                                         : fmt::format("[{}]:{}", listener.address, listener.port);
}

}  // namespace flylocal::report
