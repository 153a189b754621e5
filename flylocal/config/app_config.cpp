#include "flylocal/config/app_config.hpp"

#include <algorithm>

#include "flylocal/config/enum_names.hpp"

namespace flylocal::config {

std::string_view name(KillSignal value) {
  return name_in(kKillSignalNames, value);
}
std::string_view name(Handler value) {
  return name_in(kHandlerNames, value);
}
std::string_view name(TransportProtocol value) {
  return name_in(kTransportProtocolNames, value);
}
std::string_view name(TlsVersion value) {
  return name_in(kTlsVersionNames, value);
}
std::string_view name(ProxyProtocolVersion value) {
  return name_in(kProxyProtocolVersionNames, value);
}
std::string_view name(AutoStop value) {
  return name_in(kAutoStopNames, value);
}
std::string_view name(ConcurrencyType value) {
  return name_in(kConcurrencyTypeNames, value);
}
std::string_view name(CheckType value) {
  return name_in(kCheckTypeNames, value);
}
std::string_view name(HttpScheme value) {
  return name_in(kHttpSchemeNames, value);
}
std::string_view name(DeployStrategy value) {
  return name_in(kDeployStrategyNames, value);
}
std::string_view name(RestartPolicy value) {
  return name_in(kRestartPolicyNames, value);
}

bool ServicePort::has(Handler handler) const {
  return std::find(handlers.begin(), handlers.end(), handler) != handlers.end();
}

}  // namespace flylocal::config
