#include "flylocal/report/udp_verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flylocal::report {

Verdict judge_udp(const MachineView& view, std::uint16_t port, const UdpAnswer& answer) {
  if (view.not_running) return judge_tcp(view, Path::kProxy, port, Reach::kUntried, true);
  const auto on_port = sockets_on(view, netns::BoundSocket::Protocol::kUdp, port);
  if (on_port.empty()) {
    if (bind_error_of(view, port)) return judge_bind_error(view, port);
    return {Severity::kPending, "udp-not-listening", fmt::format("the program runs, and no UDP socket is bound to port {} yet", port)};
  }
  const std::string who = owner_of(view, on_port.front());
  const std::string where = endpoints(on_port);
  const std::string right_source = view.addresses.global_services.to_string();
  if (answer.source) {
    const auto source = answer.source->address();
    if (source == view.addresses.global_services) return {Severity::kOk, "ok", fmt::format("{} answers from {}", who, right_source)};
    return {Severity::kProblem, "udp-wrong-source", fmt::format("{} is bound to {} and answers from {}; only answers from fly-global-services ({}) get back to the client",
                                                                who, where, source.to_string(), right_source)};
  }
  const bool arrives = std::any_of(on_port.begin(), on_port.end(), [&](auto& s) { return takes_global_services(scope_of(s, view.addresses)); });
  if (!arrives)
    return {Severity::kProblem, "udp-unreachable", fmt::format("{} is bound to {}, where datagrams to fly-global-services ({}) do not arrive", who, where, right_source)};
  if (!answer.sent) return {Severity::kPending, "udp-unanswered", "not asked yet"};
  const bool exact = std::any_of(on_port.begin(), on_port.end(), [&](auto& s) { return scope_of(s, view.addresses) == Scope::kGlobalServices; });
  if (exact) return {Severity::kOk, "ok", fmt::format("{} is bound to {}, the address of fly-global-services, so that its answers leave from there", who, where)};
  return {Severity::kNote, "udp-unanswered",
          fmt::format("{} is bound to {} and did not answer a datagram of ours, so that the source of its answers is not known: from a wildcard it is wrong unless the "
                      "program asks for IP_PKTINFO", who, where)};
}

}  // namespace flylocal::report
