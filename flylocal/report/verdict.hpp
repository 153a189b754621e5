#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/report/report.hpp"
#include "netns/socket_inventory.hpp"

namespace flylocal::report {

/// What must hold of a port for all to be well.
struct Requirement {
  bool proxy = true;    ///< Fly Proxy must reach it: a TCP service has it as internal_port
  bool six_pn = false;  ///< other machines must reach it over 6PN: [[expect]] says so
};

/// What was seen of one machine with regard to one port.
struct Evidence {
  std::uint16_t port = 0;  ///< 0: the machine has no port to look at, it only has to run
  Requirement required;
  boost::asio::ip::address_v4 private_ipv4;
  boost::asio::ip::address_v4 global_services;
  boost::asio::ip::address_v6 six_pn;
  /// Why the machine does not run, in words; nothing while it does.
  std::optional<std::string> not_running;
  std::vector<netns::BoundSocket> sockets;
  std::vector<netns::GuestProcess> processes;
  Path proxy = Path::kUntried;
  Path six_pn_path = Path::kUntried;
};

/// The verdict from both kinds of evidence: who can connect is told by the connects alone; the sockets say why
/// not. Pure. Fills in severity, code, paths and sentence; the caller names app and machine.
/// Rules: bindcatalog section 5, on the sockets that hold the port.
Finding judge(const Evidence& evidence);

}  // namespace flylocal::report
