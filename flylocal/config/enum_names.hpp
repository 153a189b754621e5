#pragma once

#include <array>
#include <string_view>

#include "flylocal/config/app_config.hpp"

/// The words of fly.toml for the enums of the model, once, for reading, for printing and for error messages.
namespace flylocal::config {

template <class Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};

template <class Enum, std::size_t kSize>
using EnumNames = std::array<EnumName<Enum>, kSize>;

template <class Enum, std::size_t kSize>
constexpr std::string_view name_in(const EnumNames<Enum, kSize>& names, Enum value) {
  for (const auto& entry : names) {
    if (entry.value == value) return entry.name;
  }
  return {};
}

inline constexpr EnumNames<KillSignal, 8> kKillSignalNames{{{KillSignal::kInt, "SIGINT"},
                                                            {KillSignal::kTerm, "SIGTERM"},
                                                            {KillSignal::kQuit, "SIGQUIT"},
                                                            {KillSignal::kHup, "SIGHUP"},
                                                            {KillSignal::kUsr1, "SIGUSR1"},
                                                            {KillSignal::kUsr2, "SIGUSR2"},
                                                            {KillSignal::kKill, "SIGKILL"},
                                                            {KillSignal::kStop, "SIGSTOP"}}};
inline constexpr EnumNames<Handler, 4> kHandlerNames{{{Handler::kHttp, "http"},
                                                      {Handler::kTls, "tls"},
                                                      {Handler::kPgTls, "pg_tls"},
                                                      {Handler::kProxyProto, "proxy_proto"}}};
inline constexpr EnumNames<TransportProtocol, 2> kTransportProtocolNames{
    {{TransportProtocol::kTcp, "tcp"}, {TransportProtocol::kUdp, "udp"}}};
inline constexpr EnumNames<TlsVersion, 2> kTlsVersionNames{
    {{TlsVersion::kTls12, "TLSv1.2"}, {TlsVersion::kTls13, "TLSv1.3"}}};
inline constexpr EnumNames<ProxyProtocolVersion, 2> kProxyProtocolVersionNames{
    {{ProxyProtocolVersion::kV1, "v1"}, {ProxyProtocolVersion::kV2, "v2"}}};
inline constexpr EnumNames<AutoStop, 3> kAutoStopNames{
    {{AutoStop::kOff, "off"}, {AutoStop::kStop, "stop"}, {AutoStop::kSuspend, "suspend"}}};
inline constexpr EnumNames<ConcurrencyType, 2> kConcurrencyTypeNames{
    {{ConcurrencyType::kConnections, "connections"}, {ConcurrencyType::kRequests, "requests"}}};
inline constexpr EnumNames<CheckType, 2> kCheckTypeNames{
    {{CheckType::kTcp, "tcp"}, {CheckType::kHttp, "http"}}};
inline constexpr EnumNames<HttpScheme, 2> kHttpSchemeNames{
    {{HttpScheme::kHttp, "http"}, {HttpScheme::kHttps, "https"}}};
inline constexpr EnumNames<DeployStrategy, 4> kDeployStrategyNames{
    {{DeployStrategy::kRolling, "rolling"},
     {DeployStrategy::kImmediate, "immediate"},
     {DeployStrategy::kCanary, "canary"},
     {DeployStrategy::kBluegreen, "bluegreen"}}};
inline constexpr EnumNames<RestartPolicy, 3> kRestartPolicyNames{{{RestartPolicy::kNever, "never"},
                                                                  {RestartPolicy::kAlways, "always"},
                                                                  {RestartPolicy::kOnFailure, "on-failure"}}};
inline constexpr EnumNames<ReplayCacheRule::KeyedBy, 2> kKeyedByNames{
    {{ReplayCacheRule::KeyedBy::kCookie, "cookie"}, {ReplayCacheRule::KeyedBy::kHeader, "header"}}};

}  // namespace flylocal::config
