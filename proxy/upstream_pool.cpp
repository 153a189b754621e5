#include "proxy/upstream_pool.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include "proxy/io/tcp_info.hpp"

namespace flylocal::proxy {

namespace {

/// Begins to connect to the machine from the address it knows the proxy by. Returns an errno, 0 when begun.
int begin_connecting(const Upstream& upstream, UniqueFd& socket) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return errno;
  int on = 1;
  // ip(7): the local port is chosen by connect(), which knows the peer; else 28,000 connections would be all.
  ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  asio::ip::tcp::endpoint source(upstream.source, 0);
  if (::bind(fd.get(), source.data(), static_cast<socklen_t>(source.size())) < 0) return errno;
  const auto& machine = upstream.endpoint;
  if (::connect(fd.get(), machine.data(), static_cast<socklen_t>(machine.size())) < 0 &&
      errno != EINPROGRESS) {
    return errno;
  }
  socket = std::move(fd);
  return 0;
}

}  // namespace

int connect_result(const Socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

int UpstreamConnection::begin_connect(const Upstream& upstream) {
  UniqueFd fd;
  if (int error = begin_connecting(upstream, fd)) return error;
  socket_.adopt(std::move(fd));
  return 0;
}

int UpstreamConnection::connect_result() const {
  return stream_ ? stream_->error() : proxy::connect_result(socket_);
}

bool UpstreamConnection::closed_by_machine() const {
  char byte;
  return ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

void UpstreamConnection::mark_request() {
  acknowledged_ = tcp_info(socket_.fd()).acknowledged;
}

UpstreamConnection::Fate UpstreamConnection::fate_of_request() const {
  // A machine that closes a connection which nobody used says so with a segment that acknowledges all it had got by
  // then. If our request crosses it, the machine's kernel drops the request unread and answers with a reset, which
  // Linux tells apart from other resets: EPIPE, because the end had come before it.
  const TcpInfo info = tcp_info(socket_.fd());
  if (info.acknowledged != acknowledged_) return Fate::unknown;
  if (info.peer_closed) return Fate::undecided;
  return info.over && connect_result() == EPIPE ? Fate::dropped : Fate::unknown;
}

void UpstreamConnection::take_turn() {
  // A machine has nothing to say on an idle connection: bytes are as bad as the end.
  if (socket_.readable() || idle_limit_.passed()) pool_->drop(*this);
}

UpstreamPool::Key UpstreamPool::key(const asio::ip::tcp::endpoint& machine) {
  return (Key{machine.address().to_v4().to_uint()} << 16) | machine.port();
}

std::unique_ptr<UpstreamConnection> UpstreamPool::take(const asio::ip::tcp::endpoint& machine, Turn& owner) {
  auto found = idle_.find(key(machine));
  while (found != idle_.end() && !found->second.empty()) {
    auto connection = std::move(found->second.back());
    found->second.pop_back();
    idle_now_.subtract(1);
    // The news that it was closed may have come in this very round.
    if (connection->socket_.readable()) continue;
    connection->socket_.set_owner(owner);
    connection->idle_limit_.clear();
    connection->unlink();
    return connection;
  }
  return nullptr;
}

void UpstreamPool::put_back(std::unique_ptr<UpstreamConnection> connection) {
  if (connection->stream_ || connection->socket_.readable()) return;
  connection->pool_ = this;
  connection->socket_.set_owner(*connection);
  connection->idle_limit_.set_after(idle_limit_);
  idle_[key(connection->machine_)].push_back(std::move(connection));
  idle_now_.add(1);
}

std::unique_ptr<UpstreamConnection> UpstreamPool::take_stream(const asio::ip::tcp::endpoint& machine, Turn& owner,
                                                              bool known_open) {
  auto found = streaming_.find(key(machine));
  if (found == streaming_.end()) return nullptr;
  for (auto& connection : found->second) {
    if (!connection->takes_streams() || (known_open && connection->closed_by_machine())) continue;
    return std::make_unique<UpstreamConnection>(connection->poller(), owner, machine, connection->open(owner));
  }
  return nullptr;
}

int UpstreamPool::open_stream(Poller& poller, BufferPool& buffers, const Upstream& upstream, Turn& owner,
                              std::chrono::milliseconds connect_limit, bool shared,
                              std::unique_ptr<UpstreamConnection>& connection) {
  UniqueFd fd;
  if (int error = begin_connecting(upstream, fd)) return error;
  h2::MachineConnection::Limits limits{.connect = connect_limit, .idle = idle_limit_};
  auto& made = streaming_[key(upstream.endpoint)].emplace_back(
      std::make_unique<h2::MachineConnection>(poller, buffers, *this, upstream.endpoint, limits, shared));
  made->adopt(std::move(fd));
  connection = std::make_unique<UpstreamConnection>(poller, owner, upstream.endpoint, made->open(owner));
  return 0;
}

void UpstreamPool::drop(h2::MachineConnection& connection) {
  auto found = streaming_.find(key(connection.machine()));
  std::erase_if(found->second, [&](const auto& other) { return other.get() == &connection; });
  if (found->second.empty()) streaming_.erase(found);
}

void UpstreamPool::count_idle(bool more) {
  if (more) {
    idle_now_.add(1);
  } else {
    idle_now_.subtract(1);
  }
}

void UpstreamPool::drop(UpstreamConnection& connection) {
  Idle& idle = idle_[key(connection.machine_)];
  auto found =
      std::find_if(idle.begin(), idle.end(), [&](const auto& other) { return other.get() == &connection; });
  if (found == idle.end()) return;
  idle.erase(found);
  idle_now_.subtract(1);
}

void UpstreamPool::keep_only(const RoutingSnapshot& snapshot) {
  std::unordered_set<Key> known;
  for (const Service& service : snapshot.services) {
    for (const Upstream& upstream : service.upstreams) known.insert(key(upstream.endpoint));
  }
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (known.contains(it->first)) {
      ++it;
      continue;
    }
    idle_now_.subtract(it->second.size());
    it = idle_.erase(it);
  }
  for (auto& [machine, connections] : streaming_) {
    if (known.contains(machine)) continue;
    for (auto& connection : connections) connection->retire();
  }
}

void UpstreamPool::clear() {
  keep_only({});
}

}  // namespace flylocal::proxy
