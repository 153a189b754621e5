#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "flylocal/report/tcp_verdict.hpp"

/// A machine as the tests of the verdicts look at it.
namespace flylocal::report::tests {

using netns::BoundSocket;
using netns::GuestProcess;

inline constexpr const char* kPrivateIpv4 = "172.19.0.2";
inline constexpr const char* kGlobalServices = "172.19.0.3";
inline constexpr const char* kSixPn = "fdaa:0:18:a7b:7d:f066:b83b:2";
inline constexpr std::uint16_t kPort = 8080;  ///< the service's

// Inodes, the keys from sockets to processes.
inline constexpr std::uint32_t kNode = 100, kNodesOther = 101, kNginx = 200, kOrphan = 900;

enum class Family { kDefault, kV6Only };

inline BoundSocket tcp(const char* address, std::uint16_t port = kPort, Family family = Family::kDefault, std::uint32_t inode = kNode) {
  return {BoundSocket::Protocol::kTcp, boost::asio::ip::make_address(address), port, family == Family::kV6Only, 0, 511, inode};
}

inline BoundSocket udp(const char* address, std::uint16_t port = kPort, Family family = Family::kDefault, std::uint32_t inode = kNode) {
  return {BoundSocket::Protocol::kUdp, boost::asio::ip::make_address(address), port, family == Family::kV6Only, 0, 0, inode};
}

inline GuestProcess process(int pid, std::vector<std::string> command_line, std::vector<std::uint32_t> socket_inodes) {
  std::string name = command_line.front();
  return {pid, std::move(name), std::move(command_line), "/app", std::move(socket_inodes)};
}

inline MachineAddresses addresses() {
  return {boost::asio::ip::make_address_v4(kPrivateIpv4), boost::asio::ip::make_address_v4(kGlobalServices), boost::asio::ip::make_address_v6(kSixPn)};
}

/// A machine that runs node with these sockets.
inline MachineView machine(std::vector<BoundSocket> sockets) {
  MachineView view;
  view.addresses = addresses();
  view.sockets = std::move(sockets);
  view.processes = {process(42, {"node", "server.js"}, {kNode, kNodesOther}), process(57, {"nginx"}, {kNginx})};
  return view;
}

}  // namespace flylocal::report::tests
