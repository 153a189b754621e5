#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flylocal/report/expectations.hpp"
#include "flylocal/report/http_verdict.hpp"
#include "flylocal/report/probes.hpp"
#include "flylocal/report/tcp_verdict.hpp"

namespace flylocal::report {

/// What was tried of one TCP port, as far as it has ended.
struct TcpOutcomes {
  std::optional<Reach> proxy, six_pn, published;
  std::optional<std::string> greeting, six_pn_greeting;  ///< what the program says unasked; not of HTTP services
  std::optional<HttpEvidence> http;
  std::optional<HttpAnswer> six_pn_http, published_http;
  std::optional<bool> takes_tls;
  std::optional<std::pair<HttpAnswer, HttpAnswer>> proxy_line;  ///< the answer without the PROXY header, and with it
  std::string published_as;  ///< "http://localhost:8080/"; empty: the port is not published
  std::string refused_to;    ///< which other machine was refused there over 6PN; empty: none was
};

/// All that is known of one machine.
struct MachineEvidence {
  std::string app;
  const Expectations* expectations = nullptr;
  MachineView view;
  bool http_probe = true;      ///< whether HTTP services are asked at all
  bool finished_well = false;  ///< its program ended with exit code 0
  std::map<std::uint16_t, TcpOutcomes> tcp;  ///< of the expected ports and of others that are listened on
  std::map<std::uint16_t, UdpAnswer> udp;
  std::vector<std::optional<HttpAnswer>> checks;  ///< in the order of the expectations; of a TCP check `reach` alone
  std::optional<std::chrono::milliseconds> listened_after;
  std::vector<std::string> asked_for_ipv4_only;  ///< .internal names of which it asked A, and AAAA never
};

/// The verdicts: paths to the ports of services first, then 6PN, checks, the file, and the machine as a client. Pure.
std::vector<Result> judge_machine(const MachineEvidence& evidence);

}  // namespace flylocal::report
