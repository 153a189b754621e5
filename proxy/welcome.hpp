#pragma once

#include "proxy/worker.hpp"

namespace flylocal::proxy {

/// Serves the client of a non-blocking socket from its first byte to its last: does what the handlers of its port ask for (platform.md 4.2),
/// in their order, and gives the connection to the session of its protocol.
Flow<> welcome(Worker& worker, Arrival arrival, UniqueFd socket);

}  // namespace flylocal::proxy
