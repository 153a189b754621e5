#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "flylocal/base/unique_fd.hpp"
#include "proxy/io/poller.hpp"

namespace flylocal::proxy {

/// What one attempt to read or write came to.
struct Transfer {
  enum class Status {
    moved,    ///< `bytes` (> 0) went over
    blocked,  ///< nothing can move now; the owner gets a turn when something can
    closed,   ///< the peer ended its direction (reading only)
    failed,   ///< the connection is broken: `error` is the errno
  };
  Status status;
  std::size_t bytes = 0;
  int error = 0;
};

/// A non-blocking stream socket and what epoll last said of it. Stays where it is made, as epoll knows its
/// address.
class Socket {
 public:
  Socket(Poller& poller, Turn& owner) : poller_(poller), owner_(&owner) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(); }

  /// Takes a non-blocking descriptor and watches it. Throws std::system_error when epoll refuses it.
  void adopt(UniqueFd fd);
  void close();
  /// Closes so that the peer gets a reset instead of a proper end.
  void reset();
  void set_owner(Turn& owner) { owner_ = &owner; }

  Transfer read(std::span<char> space);
  Transfer write(std::span<iovec> pieces);
  void shutdown_write();

  bool is_open() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  bool writable() const { return writable_; }
  /// There is something to read: bytes, the end or an error.
  bool readable() const { return readable_; }
  /// The peer sent its last byte, which may not have been read yet.
  bool peer_ended() const { return peer_ended_; }
  /// Reset by the peer, or failed.
  bool broken() const { return broken_; }

  /// Called by the poller for an event.
  void note(std::uint32_t events);

 private:
  Poller& poller_;
  Turn* owner_;
  UniqueFd fd_;
  bool readable_ = false;
  bool writable_ = false;
  bool peer_ended_ = false;
  bool broken_ = false;
};

}  // namespace flylocal::proxy
