#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>

#include "flylocal/base/unique_fd.hpp"

/// Blocking sockets for tests, where each end is a thread that reads like a script. Every wait has a limit.
namespace flylocal::proxy::test {

inline constexpr std::chrono::milliseconds kPatience{5000};

inline sockaddr_in address_of(const char* ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, ip, &address.sin_addr);
  return address;
}

/// Listens on a free port of `ip`, which is in 127.0.0.0/8.
inline UniqueFd open_listener(const char* ip, std::uint16_t port = 0) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = address_of(ip, port);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(fd.get(), 128) < 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  return fd;
}

inline std::uint16_t port_of(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

/// One end of a connection.
class Wire {
 public:
  explicit Wire(UniqueFd socket) : socket_(std::move(socket)) {
    timeval patience{.tv_sec = kPatience.count() / 1000, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }

  static Wire unconnected() { return Wire(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))); }

  void connect(const char* ip, std::uint16_t port) {
    sockaddr_in address = address_of(ip, port);
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
      throw std::runtime_error("cannot connect to the proxy");
    }
  }

  /// False when the other end takes no more.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Up to and with `mark`; what came until the end if it does not come.
  std::string read_until(std::string_view mark) {
    for (;;) {
      std::size_t found = seen_.find(mark);
      if (found != std::string::npos) return take(found + mark.size());
      if (!read_more()) return take(seen_.size());
    }
  }
  std::string read_head() { return read_until("\r\n\r\n"); }
  /// Fewer only at the end.
  std::string read_exactly(std::size_t size) {
    while (seen_.size() < size && read_more()) {
    }
    return take(std::min(size, seen_.size()));
  }
  std::string read_to_end() {
    while (read_more()) {
    }
    return take(seen_.size());
  }
  /// Whether the other end closed, or reset, without anything before it.
  bool at_end() { return seen_.empty() && !read_more(); }
  /// The errno that ended the reading; 0 after a proper end, EAGAIN when nothing came for too long.
  int end_error() const { return end_error_; }
  /// Whether something can be read within `limit`.
  bool readable_within(std::chrono::milliseconds limit) {
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return !seen_.empty() || ::poll(&wait, 1, static_cast<int>(limit.count())) > 0;
  }

  const UniqueFd& socket() const { return socket_; }
  void end_writing() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  void reset() {
    linger abort{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    socket_.reset();
  }
  /// The other end's address.
  std::string peer_ip() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  }

 private:
  std::string take(std::size_t size) {
    std::string taken = seen_.substr(0, size);
    seen_.erase(0, size);
    return taken;
  }
  bool read_more() {
    char bytes[16384];
    ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    end_error_ = got < 0 ? errno : 0;
    if (got <= 0) return false;
    seen_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  UniqueFd socket_;
  std::string seen_;
  int end_error_ = 0;
};

}  // namespace flylocal::proxy::test
