#pragma once

#include <cstdint>

namespace flylocal::proxy {

/// What the kernel knows of a TCP connection (tcp(7), TCP_INFO), as far as it matters here.
struct TcpInfo {
  bool peer_closed = false;         ///< the peer's end has come, and the connection stands (CLOSE-WAIT)
  bool over = false;                ///< no connection any more (CLOSED)
  std::uint64_t acknowledged = 0;   ///< bytes that the peer's kernel has taken
};

/// All false and zero when the kernel says nothing.
TcpInfo tcp_info(int fd);

}  // namespace flylocal::proxy
