#pragma once

#include "flylocal/base/unique_fd.hpp"
#include "proxy/io/channel.hpp"

namespace flylocal::proxy {

/// A non-blocking stream socket and what epoll last said of it.
class Socket : public Channel {
 public:
  Socket(Poller& poller, Turn& owner) : Channel(owner), poller_(poller) {}
  ~Socket() override { Socket::close(); }

  /// Takes a non-blocking descriptor and watches it. Throws std::system_error when epoll refuses it.
  void adopt(UniqueFd fd);

  /// Gives the descriptor up, for another one to adopt.
  UniqueFd release();

  Transfer read(std::span<char> space) override;
  Transfer write(std::span<iovec> pieces) override;
  void shutdown_write() override;
  void close() override;
  void reset() override;

  bool is_open() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  /// Called by the poller for an event.
  void note(std::uint32_t events);

 private:
  Poller& poller_;
  UniqueFd fd_;
};

}  // namespace flylocal::proxy
