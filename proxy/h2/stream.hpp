#pragma once

#include <boost/intrusive/list.hpp>
#include <limits>
#include <memory>
#include <string>

#include "proxy/h2/head_text.hpp"
#include "proxy/http1/body.hpp"
#include "proxy/io/buffer.hpp"
#include "proxy/io/channel.hpp"

namespace flylocal::proxy::h2 {

class Connection;
class Stream;

using ListHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A stream as a session sees it: a connection on which HTTP/1.1 is spoken. Towards a client it is a connection that
/// stays open: once an answer has been written, the next stream's request may come on the same channel.
class StreamChannel final : public Channel, public ListHook {
 public:
  StreamChannel(Poller& poller, Turn& owner) : Channel(owner), poller_(poller) {}
  ~StreamChannel() override { StreamChannel::close(); }

  Transfer read(std::span<char> space) override;
  Transfer write(std::span<iovec> pieces) override;
  void shutdown_write() override;
  void close() override;
  void reset() override { close(); }

  /// The machine said that it has done nothing with the request (RFC 9113 8.7).
  bool was_refused() const;
  /// The other end does not speak HTTP/2.
  bool is_not_http2() const;
  /// The errno that the channel broke with.
  int error() const;

 private:
  friend class Connection;
  friend class ServerConnection;
  friend class Stream;
  void wake() { poller_.schedule(*owner_); }
  /// Nothing comes any more.
  void end();

  Poller& poller_;
  Stream* stream_ = nullptr;
};

/// One stream: what came from the peer, written as HTTP/1.1, until the session reads it; and what the session wrote,
/// taken apart, until the peer takes it. Holds no more than a window of the one and a buffer of the other.
/// Belongs to its connection, and to its channel when the connection has gone.
class Stream : public ListHook {
 public:
  explicit Stream(BufferPool& pool) : out_(pool) {}

  Transfer read(std::span<char> space);
  Transfer write(std::span<iovec> pieces);

 private:
  friend class Connection;
  friend class MachineConnection;
  friend class ServerConnection;
  friend class StreamChannel;

  enum class Out : std::uint8_t { head, body, ended };
  static constexpr std::size_t kNothingHeld = std::numeric_limits<std::size_t>::max();

  /// For the next stream; keeps some memory.
  void reset();
  bool has_visible() const { return in_at_ < std::min(in_.size(), held_from_); }
  void take_data(std::string_view data);
  void end_input();
  void note_readable();
  void consume(std::size_t read);
  bool take_written(std::string_view bytes, std::size_t& used);
  bool take_body(std::string_view bytes, std::size_t& used);

  Connection* connection_ = nullptr;
  StreamChannel* channel_ = nullptr;
  std::int32_t id_ = 0;

  std::string in_;
  std::size_t in_at_ = 0;                 ///< bytes of in_ that were read
  std::size_t held_from_ = kNothingHeld;  ///< bytes of in_ from here on wait for the upgrade
  std::size_t unconsumed_ = 0;            ///< octets of DATA that the peer's window still lacks
  Framing in_framing_ = Framing::none;
  bool in_begun_ = false;  ///< the final head has come
  bool in_ended_ = false;

  /// Towards a machine: a request for a WebSocket (RFC 8441).
  struct Upgrade {
    std::string head;    ///< until the machine has said whether it takes such requests
    std::string accept;  ///< the answer's Sec-WebSocket-Accept; empty until the machine is asked
  };
  std::unique_ptr<Upgrade> upgrade_;  ///< null for all others

  Buffer out_;
  std::string partial_head_;
  std::string trailers_;  ///< whole lines
  http1::BodyScanner scanner_ = http1::BodyScanner::none();
  Out out_state_ = Out::head;
  bool is_head_request_ = false;
  bool may_upgrade_ = false;
  bool tells_close_ = false;  ///< the session's answer said "connection: close"
  bool deferred_ = false;     ///< nghttp2 waits for more to send

  bool read_from_ = false;  ///< the session has read of it
  bool closed_ = false;     ///< to nghttp2
  bool failed_ = false;     ///< the peer, or the connection, ended it too early
  bool refused_ = false;
  bool not_http2_ = false;
  int error_ = 0;  ///< errno
};

}  // namespace flylocal::proxy::h2
