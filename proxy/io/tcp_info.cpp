#include "proxy/io/tcp_info.hpp"

// The C library's netinet/tcp.h has an older struct tcp_info, and the two headers exclude each other: so this file has
// neither a precompiled header nor others of ours.
#include <linux/bpf.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace flylocal::proxy {

TcpInfo tcp_info(int fd) {
  ::tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return {};
  return {info.tcpi_state == BPF_TCP_CLOSE_WAIT, info.tcpi_state == BPF_TCP_CLOSE, info.tcpi_bytes_acked};
}

}  // namespace flylocal::proxy
