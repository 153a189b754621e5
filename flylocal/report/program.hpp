#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flylocal::report {

/// A kind of server or runtime that flylocal recognises, and how its user makes it bind rightly. The texts are data:
/// program_table.cpp is one table. Each text names the exact flag, variable or configuration line; "{port}" in it
/// stands for the service's internal_port. An empty text: nothing better is known than the general advice.
struct Program {
  std::string_view id;     ///< "node", "gunicorn", "nginx": stable
  std::string_view title;  ///< "Node.js http", "gunicorn", "nginx"
  std::string_view listen;  ///< to be reached by Fly Proxy, and over 6PN too where the program can do that
  std::string_view six_pn;  ///< to listen on the 6PN address only, in the form of fly-local-6pn that the program accepts
  std::string_view port;    ///< to use port {port}
  std::string_view hosts;   ///< to accept requests for the host APP.fly.dev, where it refuses unknown ones
  std::string_view udp;     ///< to answer datagrams from fly-global-services
  std::string_view client;  ///< as a client: to ask for AAAA and connect over IPv6
};

/// A process as far as recognition looks at it.
struct ProgramTraits {
  std::string_view name;                          ///< /proc/PID/comm
  std::span<const std::string> command_line;      ///< argv
};

/// The most special row that the process fits (a framework before its runtime); null when it is unknown.
const Program* recognise(const ProgramTraits& process);

/// All rows.
std::span<const Program> programs();

/// `text` with the port in place of "{port}".
std::string with_port(std::string_view text, std::uint16_t port);

}  // namespace flylocal::report
