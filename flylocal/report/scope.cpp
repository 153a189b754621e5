#include "flylocal/report/scope.hpp"

#include <fmt/format.h>

namespace flylocal::report {

Scope scope_of(const netns::BoundSocket& socket, const MachineAddresses& machine) {
  if (socket.address.is_v4() || socket.address.to_v6().is_v4_mapped()) {
    const auto address = socket.address.is_v4() ? socket.address.to_v4()
                                                : boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, socket.address.to_v6());
    if (address.is_unspecified()) return Scope::kIpv4Wildcard;
    if (address.is_loopback()) return Scope::kLoopback;
    if (address == machine.private_ipv4) return Scope::kPrivateIpv4;
    return address == machine.global_services ? Scope::kGlobalServices : Scope::kOther;
  }
  const auto address = socket.address.to_v6();
  if (address.is_loopback()) return Scope::kLoopback;
  if (address.is_unspecified()) return socket.v6_only ? Scope::kIpv6Wildcard : Scope::kDualWildcard;
  return address == machine.six_pn ? Scope::kSixPn : Scope::kOther;
}

bool takes_private_ipv4(Scope scope) {
  return scope == Scope::kIpv4Wildcard || scope == Scope::kDualWildcard || scope == Scope::kPrivateIpv4;
}

bool takes_six_pn(Scope scope) {
  return scope == Scope::kDualWildcard || scope == Scope::kIpv6Wildcard || scope == Scope::kSixPn;
}

bool takes_global_services(Scope scope) {
  return scope == Scope::kIpv4Wildcard || scope == Scope::kDualWildcard || scope == Scope::kGlobalServices;
}

std::string endpoint(const netns::BoundSocket& socket) {
  return socket.address.is_v6() ? fmt::format("[{}]:{}", socket.address.to_string(), socket.port)
                                : fmt::format("{}:{}", socket.address.to_string(), socket.port);
}

std::string endpoints(const std::vector<netns::BoundSocket>& sockets) {
  std::vector<std::string> texts;
  for (const netns::BoundSocket& socket : sockets) texts.push_back(endpoint(socket));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace flylocal::report
