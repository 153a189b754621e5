#include "dns/server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "dns/query_service.hpp"
#include "dns/tcp_listener.hpp"
#include "dns/udp_listener.hpp"
#include "flylocal/base/run_to_end.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::dns {
namespace {

enum class SocketKind { datagram = SOCK_DGRAM, stream = SOCK_STREAM };

/// The address family of a bound Internet socket of this kind.
Result<int> family_of(int fd, SocketKind kind, std::string_view what) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return system_error(fmt::format("DNS server: use the {}", what), errno);
  }
  if (type != static_cast<int>(kind)) {
    return Error{fmt::format("DNS server: the {} is of type {}, not {} (were the two descriptors swapped?)",
                             what, type, static_cast<int>(kind))};
  }
  sockaddr_storage address{};
  size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return system_error(fmt::format("DNS server: read the address of the {}", what), errno);
  }
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) {
    return Error{fmt::format("DNS server: the {} is of address family {}, neither IPv4 nor IPv6", what,
                             static_cast<int>(address.ss_family))};
  }
  return address.ss_family;
}

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor on, Forwarder& forwarder, ServerOptions given)
      : executor(on), options(std::move(given)), service(on, forwarder, options.responder), tasks(on) {}

  /// On the executor.
  void start(std::shared_ptr<UdpListener> udp, std::shared_ptr<TcpListener> tcp) {
    if (stopping) return;
    udp_listeners.push_back(udp);
    tcp_listeners.push_back(tcp);
    tasks.spawn("DNS over UDP", UdpListener::run(std::move(udp)));
    tasks.spawn("accept DNS over TCP", TcpListener::run(std::move(tcp)));
  }

  Executor executor;
  const ServerOptions options;
  QueryService service;

  // Of the executor's thread alone:
  TaskGroup tasks;
  std::vector<std::shared_ptr<UdpListener>> udp_listeners;
  std::vector<std::shared_ptr<TcpListener>> tcp_listeners;
  bool stopping = false;
};

Server::Server(Executor executor, Forwarder& forwarder, ServerOptions options)
    : impl_(std::make_shared<Impl>(executor, forwarder, std::move(options))) {}

Server::~Server() = default;

void Server::publish(std::shared_ptr<const ZoneSnapshot> snapshot) {
  impl_->service.publish(std::move(snapshot));
}

Result<> Server::add_network(NetworkId network, UniqueFd udp, UniqueFd tcp) {
  auto udp_family = family_of(udp.get(), SocketKind::datagram, "UDP socket");
  if (!udp_family) return udp_family.error();
  auto tcp_family = family_of(tcp.get(), SocketKind::stream, "TCP socket");
  if (!tcp_family) return tcp_family.error();
  if (::listen(tcp.get(), SOMAXCONN) != 0) return system_error("DNS server: listen on the TCP socket", errno);

  boost::system::error_code error;
  UdpSocket udp_socket(impl_->executor);
  udp_socket.assign(*udp_family == AF_INET6 ? asio::ip::udp::v6() : asio::ip::udp::v4(), udp.get(), error);
  if (error) return system_error("DNS server: watch the UDP socket", error.value());
  (void)udp.release();
  TcpAcceptor acceptor(impl_->executor);
  acceptor.assign(*tcp_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), tcp.get(), error);
  if (error) return system_error("DNS server: watch the TCP socket", error.value());
  (void)tcp.release();

  TcpListener::Limits limits{impl_->options.tcp_idle_timeout, impl_->options.max_tcp_connections};
  auto udp_listener = std::make_shared<UdpListener>(std::move(udp_socket), network, impl_->service);
  auto tcp_listener =
      std::make_shared<TcpListener>(std::move(acceptor), network, impl_->service, impl_->tasks, limits);
  asio::post(impl_->executor,
             [impl = impl_, udp_listener, tcp_listener] { impl->start(udp_listener, tcp_listener); });
  return {};
}

const Statistics& Server::statistics() const {
  return impl_->service.statistics();
}

std::uint64_t Server::questions_version() const {
  return impl_->service.journal().version();
}

std::vector<AddressQuestion> Server::questions() const {
  return impl_->service.journal().questions();
}

std::uint64_t Server::logged_end() const {
  return impl_->service.log().version();
}

Task<std::vector<QueryRecord>> Server::logged_since(std::uint64_t number, std::size_t most) const {
  auto read = [](std::shared_ptr<const Impl> impl, std::uint64_t from, std::size_t limit) -> Task<std::vector<QueryRecord>> {
    co_return impl->service.log().since(from, limit);
  };
  co_return co_await run_to_end(impl_->executor, read(impl_, number, most));
}

Task<> Server::shutdown() {
  // The frame keeps what it works on: the Server itself may go once the last task has ended.
  auto impl = impl_;
  impl->stopping = true;
  impl->service.stop();
  for (auto& listener : impl->udp_listeners) listener->stop();
  for (auto& listener : impl->tcp_listeners) listener->stop();
  co_await impl->tasks.wait();
}

}  // namespace flylocal::dns
