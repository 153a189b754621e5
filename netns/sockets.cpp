#include "netns/sockets.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <sstream>

namespace flylocal::netns {
namespace {

constexpr int kBacklog = 4096;

template <class Endpoint>
Result<UniqueFd> bound_socket(const Endpoint& endpoint, int type, const std::string& device, const char* what) {
  std::ostringstream name;
  name << what << ' ' << endpoint;
  UniqueFd fd(::socket(endpoint.protocol().family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("create socket for " + name.str(), errno);
  const int on = 1;
  if (endpoint.address().is_v6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (type == SOCK_STREAM) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!device.empty() && ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(), device.size()) != 0)
    return system_error(fmt::format("bind {} to device {}", name.str(), device), errno);
  if (::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
    return system_error(name.str(), errno);
  return fd;
}

}  // namespace

Result<UniqueFd> listen_tcp(const boost::asio::ip::tcp::endpoint& endpoint, const std::string& device) {
  auto fd = bound_socket(endpoint, SOCK_STREAM, device, "listen on");
  if (fd && ::listen(fd->get(), kBacklog) != 0) return system_error("listen", errno);
  return fd;
}

Result<UniqueFd> bind_udp(const boost::asio::ip::udp::endpoint& endpoint, const std::string& device) {
  return bound_socket(endpoint, SOCK_DGRAM, device, "bind UDP");
}

}  // namespace flylocal::netns
