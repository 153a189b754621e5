#pragma once

#include <string>
#include <string_view>

namespace flylocal::proxy {

/// The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key (RFC 6455 4.2.2).
std::string websocket_accept(std::string_view key);

}  // namespace flylocal::proxy
