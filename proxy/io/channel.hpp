#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

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

/// Bytes in two directions between a session and one peer, never blocking: a TCP connection, TLS over one, or a
/// stream of an HTTP/2 connection. It remembers what it knows of both directions, so that nothing is tried in vain,
/// and gives its owner a turn when that has changed. Stays where it is made.
class Channel {
 public:
  explicit Channel(Turn& owner) : owner_(&owner) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  void set_owner(Turn& owner) { owner_ = &owner; }

  virtual Transfer read(std::span<char> space) = 0;
  /// Some of the pieces' bytes, from their beginning.
  virtual Transfer write(std::span<iovec> pieces) = 0;
  /// Tells the peer that nothing follows; reading goes on.
  virtual void shutdown_write() = 0;
  virtual void close() = 0;
  /// Closes so that the peer sees a break instead of a proper end.
  virtual void reset() = 0;

  bool writable() const { return writable_; }
  /// There is something to read: bytes, the end or an error.
  bool readable() const { return readable_; }
  /// The peer sent its last byte, which may not have been read yet.
  bool peer_ended() const { return peer_ended_; }
  /// Reset by the peer, or failed.
  bool broken() const { return broken_; }

 protected:
  Turn* owner_;
  bool readable_ = false;
  bool writable_ = false;
  bool peer_ended_ = false;
  bool broken_ = false;
};

}  // namespace flylocal::proxy
