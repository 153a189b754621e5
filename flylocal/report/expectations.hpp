#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "flylocal/project/app_spec.hpp"
#include "flylocal/report/report.hpp"

namespace flylocal::report {

/// A TCP port that has to be reached.
struct TcpExpectation {
  std::uint16_t port = 0;
  bool proxy = false;   ///< Fly Proxy must reach it: a service has it as internal_port
  bool six_pn = false;  ///< other machines must reach it over 6PN: [[expect]] or --expect says so
  bool http = false;    ///< Fly Proxy speaks HTTP/1.1 to it
  bool http2 = false;   ///< Fly Proxy speaks HTTP/2 without TLS to it: h2_backend
  bool proxy_protocol = false;       ///< Fly Proxy sends a PROXY header first
  bool raw_https = false;            ///< the clients of port 443 come through without the tls handler
};

/// A check of fly.toml, as it is to be made.
struct CheckExpectation {
  std::string name;  ///< "[checks.NAME]", or where it stands
  config::CheckType type = config::CheckType::kTcp;
  std::uint16_t port = 0;
  config::CheckRequest request;
  std::chrono::milliseconds timeout{};
};

/// What must hold of each machine of one process group.
struct Expectations {
  std::vector<TcpExpectation> tcp;       ///< by port, each once
  std::vector<std::uint16_t> udp;        ///< by port, each once
  std::vector<CheckExpectation> checks;
  std::chrono::milliseconds grace_period{0};  ///< the longest of the checks'
  std::vector<Result> of_file;           ///< what fly.toml alone tells
  /// Whether anything but 6PN leads to the app: some group of it has a service.
  bool app_has_services = false;
};

Expectations expectations_of(const project::AppSpec& app, const project::GroupSpec& group);

/// How long a report waits for servers of this group that start slowly: the longest grace_period of its checks, at
/// least 15 s (platform facts 8).
std::chrono::milliseconds patience(const Expectations& expectations);

}  // namespace flylocal::report
