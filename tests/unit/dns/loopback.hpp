#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include "flylocal/base/async.hpp"
#include "flylocal/base/task_group.hpp"
#include "flylocal/base/unique_fd.hpp"
#include "tests/unit/dns/wire.hpp"

// Clients and upstream resolvers on the loopback interface, for tests of whole exchanges.
namespace loopback {

using namespace std::chrono_literals;
using wire::Bytes;
namespace asio = flylocal::asio;

/// Longer than anything takes that works; only failing tests wait so long.
inline constexpr auto kPatience = 10s;

/// An io_context with its thread.
class ContextThread {
 public:
  ContextThread() : work_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
  ~ContextThread() {
    work_.reset();
    thread_.join();
  }
  flylocal::Executor executor() { return context_.get_executor(); }

  /// Runs a task on the thread to its end.
  void run(flylocal::Task<> task) {
    auto ended = asio::co_spawn(context_, std::move(task), asio::use_future);
    if (ended.wait_for(kPatience) != std::future_status::ready)
      throw std::runtime_error("a task does not end");
    ended.get();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<flylocal::Executor> work_;
  std::thread thread_;
};

inline void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

/// A bound UDP and a bound TCP socket with the same port.
struct BoundPair {
  flylocal::UniqueFd udp, tcp;
  asio::ip::udp::endpoint endpoint;

  explicit BoundPair(const char* address = "127.0.0.1") {
    auto ip = asio::ip::make_address(address);
    for (int attempt = 0; attempt < 20; ++attempt) {
      asio::ip::udp::endpoint wanted(ip, 0);
      udp.reset(::socket(wanted.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
      tcp.reset(::socket(wanted.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
      require(udp && tcp, "socket");
      require(::bind(udp.get(), wanted.data(), static_cast<socklen_t>(wanted.size())) == 0, "bind UDP");
      socklen_t size = static_cast<socklen_t>(wanted.capacity());
      require(::getsockname(udp.get(), wanted.data(), &size) == 0, "getsockname");
      // The port that UDP got by chance may be taken over TCP.
      if (::bind(tcp.get(), wanted.data(), static_cast<socklen_t>(wanted.size())) == 0) {
        endpoint = wanted;
        return;
      }
    }
    throw std::runtime_error("no port is free over both UDP and TCP");
  }
};

/// A resolver that answers as a test wants.
class FakeUpstream {
 public:
  enum class Over { udp, tcp };
  /// The messages to send for a query; none: it stays silent.
  using Script = std::function<std::vector<Bytes>(const Bytes& query, Over over)>;

  explicit FakeUpstream(Script script) : script_(std::move(script)) {
    BoundPair pair;
    endpoint_ = pair.endpoint;
    udp_.assign(asio::ip::udp::v4(), pair.udp.release());
    require(::listen(pair.tcp.get(), 16) == 0, "listen");
    acceptor_.assign(asio::ip::tcp::v4(), pair.tcp.release());
    asio::post(thread_.executor(), [this] {
      tasks_.spawn("fake UDP", serve_udp());
      tasks_.spawn("fake TCP", serve_tcp());
    });
  }
  ~FakeUpstream() {
    thread_.run([](FakeUpstream& self) -> flylocal::Task<> {
      self.udp_.close();
      self.acceptor_.close();
      self.tasks_.cancel();
      co_await self.tasks_.wait();
    }(*this));
  }

  asio::ip::udp::endpoint endpoint() const { return endpoint_; }
  int asked_over(Over over) const { return over == Over::udp ? udp_queries_ : tcp_queries_; }
  int asked() const { return udp_queries_ + tcp_queries_; }

 private:
  flylocal::Task<> serve_udp() {
    // The closed socket ends the loop.
    co_await asio::this_coro::throw_if_cancelled(false);
    Bytes query(4096);
    for (;;) {
      asio::ip::udp::endpoint peer;
      auto [error, size] = co_await udp_.async_receive_from(asio::buffer(query), peer, flylocal::as_result);
      if (error) co_return;
      ++udp_queries_;
      auto replies =
          script_(Bytes(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size)), Over::udp);
      for (auto& reply : replies) udp_.send_to(asio::buffer(reply), peer);
    }
  }

  flylocal::Task<> serve_tcp() {
    // The closed acceptor ends the loop.
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(flylocal::as_result);
      if (error) co_return;
      // One connection at a time and one query on each is enough for a fake.
      Bytes length(2);
      auto [no_length, n] = co_await asio::async_read(socket, asio::buffer(length), flylocal::as_result);
      if (no_length) continue;
      Bytes query(static_cast<std::size_t>(length[0] << 8 | length[1]));
      auto [no_query, m] = co_await asio::async_read(socket, asio::buffer(query), flylocal::as_result);
      if (no_query) continue;
      ++tcp_queries_;
      for (auto& reply : script_(query, Over::tcp)) {
        Bytes framed;
        wire::put16(framed, static_cast<unsigned>(reply.size()));
        framed.insert(framed.end(), reply.begin(), reply.end());
        co_await asio::async_write(socket, asio::buffer(framed), flylocal::as_result);
      }
    }
  }

  Script script_;
  std::atomic<int> udp_queries_{0}, tcp_queries_{0};
  ContextThread thread_;
  flylocal::TaskGroup tasks_{thread_.executor()};
  flylocal::UdpSocket udp_{thread_.executor()};
  flylocal::TcpAcceptor acceptor_{thread_.executor()};
  asio::ip::udp::endpoint endpoint_;
};

/// The reply of a resolver to `query` with these flags and `count` A records: 192.0.2.0, 192.0.2.1, ...
inline Bytes reply_to(const Bytes& query, std::uint16_t flags = 0x8180, unsigned count = 1) {
  using wire::operator+;
  std::size_t end = 12;
  while (query.at(end) != 0) end += 1u + query[end];
  end += 5;
  auto id = static_cast<std::uint16_t>(query[0] << 8 | query[1]);
  auto reply = wire::header({.id = id, .flags = flags, .answers = static_cast<std::uint16_t>(count)}) +
               Bytes(query.begin() + 12, query.begin() + static_cast<std::ptrdiff_t>(end));
  for (unsigned i = 0; i < count; ++i) {
    reply = reply + wire::record(wire::kA, 60, {192, 0, 2, static_cast<std::uint8_t>(i)});
  }
  return reply;
}

inline bool wait_readable(int fd, std::chrono::milliseconds timeout) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, static_cast<int>(timeout.count())) == 1;
}

class UdpClient {
 public:
  explicit UdpClient(asio::ip::udp::endpoint server) {
    fd_.reset(::socket(server.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    require(::connect(fd_.get(), server.data(), static_cast<socklen_t>(server.size())) == 0, "connect UDP");
  }
  void send(const Bytes& message) {
    require(::send(fd_.get(), message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()),
            "send UDP");
  }
  std::optional<wire::Message> receive(std::chrono::milliseconds timeout = kPatience) {
    if (!wait_readable(fd_.get(), timeout)) return std::nullopt;
    Bytes message(65536);
    auto size = ::recv(fd_.get(), message.data(), message.size(), 0);
    require(size >= 0, "receive UDP");
    message.resize(static_cast<std::size_t>(size));
    return wire::decode(message);
  }
  wire::Message ask(const Bytes& query) {
    send(query);
    auto answer = receive();
    require(answer.has_value(), "no answer over UDP");
    return *answer;
  }

 private:
  flylocal::UniqueFd fd_;
};

class TcpClient {
 public:
  explicit TcpClient(asio::ip::udp::endpoint server) {
    fd_.reset(::socket(server.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(::connect(fd_.get(), server.data(), static_cast<socklen_t>(server.size())) == 0, "connect TCP");
  }
  void send_octets(const Bytes& octets) {
    std::size_t sent = 0;
    while (sent < octets.size()) {
      auto n = ::send(fd_.get(), octets.data() + sent, octets.size() - sent, MSG_NOSIGNAL);
      require(n > 0, "send TCP");
      sent += static_cast<std::size_t>(n);
    }
  }
  static Bytes framed(const Bytes& message) {
    Bytes out;
    wire::put16(out, static_cast<unsigned>(message.size()));
    out.insert(out.end(), message.begin(), message.end());
    return out;
  }
  void send(const Bytes& message) { send_octets(framed(message)); }
  void finish_sending() { require(::shutdown(fd_.get(), SHUT_WR) == 0, "shutdown"); }

  /// Empty when the server closes first.
  std::optional<wire::Message> receive() {
    auto length = read(2);
    if (!length) return std::nullopt;
    auto message = read(static_cast<std::size_t>((*length)[0] << 8 | (*length)[1]));
    if (!message) return std::nullopt;
    return wire::decode(*message);
  }
  /// Waits until the server closes; false when it sends instead.
  bool is_closed_by_server() { return !read(1); }
  int fd() const { return fd_.get(); }

 private:
  std::optional<Bytes> read(std::size_t size) {
    Bytes out(size);
    std::size_t filled = 0;
    while (filled < size) {
      require(wait_readable(fd_.get(), kPatience), "nothing comes over TCP");
      auto n = ::recv(fd_.get(), out.data() + filled, size - filled, 0);
      if (n <= 0) return std::nullopt;
      filled += static_cast<std::size_t>(n);
    }
    return out;
  }
  flylocal::UniqueFd fd_;
};

}  // namespace loopback
