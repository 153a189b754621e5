#pragma once

#include <cstdint>
#include <string>

#include "proxy/http1/body.hpp"
#include "proxy/io/buffer.hpp"
#include "proxy/io/channel.hpp"
#include "proxy/websocket_frames.hpp"

namespace flylocal::proxy {

/// Moves one message's body, or one direction of a plain connection, from a socket to another, with what has
/// to go before it. Holds at most one buffer: it reads only what it has room for, so a slow sink slows the
/// source.
class Pump {
 public:
  /// What becomes of the body's framing on the way.
  enum class Encoding : std::uint8_t {
    verbatim,      ///< stays
    payload_only,  ///< chunks are taken apart, for a client that does not know them
    into_chunks,   ///< a body that ends with its connection becomes chunks
  };
  enum class Outcome : std::uint8_t {
    waiting,    ///< for either socket
    busy,       ///< more could move, but others have to get their turn
    finished,   ///< all of it has been written
    truncated,  ///< the source ended too early
    malformed,  ///< the framing is broken: error() says how
    source_failed,
    sink_failed,
  };

  explicit Pump(BufferPool& pool) : in_(pool) {}

  /// Bytes to be written before the body; append to it, never take away while a message is under way.
  std::string& prefix() { return prefix_; }
  const std::string& prefix() const { return prefix_; }
  bool prefix_written() const { return prefix_written_ == prefix_.size(); }
  bool prefix_touched() const { return prefix_written_ > 0; }
  /// The message's last byte is known.
  bool ended() const { return ended_; }
  /// What was read and not used up.
  Buffer& in() { return in_; }

  /// For who makes the body on its own and appends it to prefix(): forgets what has been written of it.
  void drop_written_prefix();
  /// Bytes that went out since clear_prefix(), also those that rewind_prefix() sent again.
  std::uint64_t bytes_written() const { return bytes_written_; }
  /// Begins a message without body; prefix() keeps its memory.
  void clear_prefix();
  /// Tells `frames` what is written of the body, until clear_prefix(); what is appended to prefix() meanwhile goes out
  /// before the rest.
  void follow(WebSocketFrames& frames) { frames_ = &frames; }
  /// Writes the prefix again from its first byte, to another sink.
  void rewind_prefix() { prefix_written_ = 0; }
  void begin_body(http1::BodyScanner scanner, Encoding encoding);
  /// Makes a small body, all of which is in in() already, the prefix's end, so that it can be sent again. False: it
  /// is not like that.
  bool absorb_body();

  Outcome run(Channel& source, Channel& sink);
  /// Only the prefix.
  Outcome flush(Channel& sink);

  /// No byte of the body has left in().
  bool body_untouched() const { return body_bytes_ == 0; }
  std::uint64_t body_bytes() const { return body_bytes_; }
  std::string_view error() const { return scanner_.error(); }

 private:
  bool scan();
  bool write(Channel& sink, Outcome& outcome);
  void end_chunks();

  Buffer in_;
  std::string prefix_;
  std::size_t prefix_written_ = 0;
  std::size_t ready_ = 0;  ///< bytes of in_ that may be written
  std::uint64_t body_bytes_ = 0;
  std::uint64_t bytes_written_ = 0;
  http1::BodyScanner scanner_ = http1::BodyScanner::none();
  Encoding encoding_ = Encoding::verbatim;
  WebSocketFrames* frames_ = nullptr;
  bool ended_ = true;        ///< the last byte of the message is in prefix_ or ready_
  bool chunk_open_ = false;  ///< into_chunks: the last chunk still lacks its line end
};

}  // namespace flylocal::proxy
