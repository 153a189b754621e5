#pragma once

#include "flylocal/report/probes.hpp"
#include "flylocal/report/tcp_verdict.hpp"

namespace flylocal::report {

/// The verdict on a UDP service's port: by the source of the answer to a datagram that was sent to
/// fly-global-services, where there was an answer, and by the sockets otherwise (bindcatalog section 7). Pure.
Verdict judge_udp(const MachineView& view, std::uint16_t port, const UdpAnswer& answer);

}  // namespace flylocal::report
