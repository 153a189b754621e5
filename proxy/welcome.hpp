#pragma once

#include "proxy/edge.hpp"

namespace flylocal::proxy {

/// Serves one client from its first byte to its last: does what the handlers of its port ask for (platform.md 4.2),
/// in their order, and gives the connection to the session of its protocol.
Flow<> welcome(Edge& edge, Arrival arrival, std::unique_ptr<Socket> client);

}  // namespace flylocal::proxy
