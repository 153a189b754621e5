#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <vector>

#include "proxy/h2/stream.hpp"

/// Theory of operation. HTTP/2 is spoken at the edges only: each stream is a Channel on which the proxy's one HTTP core
/// speaks HTTP/1.1. Towards a client, ServerConnection gives each stream a channel that an HttpSession sits on;
/// towards a machine, MachineConnection's streams take the place of TCP connections. nghttp2 does the frames, HPACK,
/// flow control and the checks of RFC 9113; this side turns blocks of fields into heads and back, and bodies into
/// chunks and back.
///
/// All streams of a connection share its turns: what they write in one round is gathered and goes out in one write.
/// A peer's window grows only as its stream's session reads, and a session may write only while its stream's buffer
/// has room, so that a slow reader slows the writer on the other side, stream by stream. The connection's own
/// window is given back at once, as a slow stream must not stop the others.
namespace flylocal::proxy::h2 {

/// What a stream may have under way towards us.
inline constexpr std::int32_t kStreamWindow = 128 * 1024;
inline constexpr std::int32_t kConnectionWindow = 1024 * 1024;

/// The common part of both ends' connections. Its owner calls advance() in its turns.
class Connection {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

 protected:
  enum class Role { server, client };
  /// `turn` is scheduled when there is something to write.
  Connection(Poller& poller, BufferPool& buffers, Turn& turn, Role role);

  /// Reads and writes what can move now. False: the connection is over.
  bool advance(Channel& transport);
  /// Bytes that were read before. False: they are not HTTP/2.
  bool feed(std::string_view bytes);
  void submit_settings(std::initializer_list<nghttp2_settings_entry> settings);
  /// Tells the peer that no further stream of its own will be served; those begun go on.
  void submit_goaway();
  /// The transport has gone: every stream that is not at its end breaks. Comes before the destructor.
  void abandon();

  std::size_t stream_count() const { return stream_count_; }
  bool settings_seen() const { return settings_seen_; }
  bool goaway_seen() const { return goaway_seen_; }
  nghttp2_session* session() const { return session_; }
  Poller& poller() const { return poller_; }
  void want_turn();

  using Streams = boost::intrusive::list<Stream, boost::intrusive::constant_time_size<false>>;
  Streams& streams() { return streams_; }
  /// A stream that nghttp2 does not know yet, or has just opened.
  Stream& open_stream();
  void bind(Stream& stream, StreamChannel& channel, bool writable);
  void unbind(Stream& stream);
  void set_writable(Stream& stream);
  void fail(Stream& stream);
  /// Neither nghttp2 nor a channel knows it any more.
  void release(Stream& stream);
  void resume(Stream& stream);
  void send_reset(Stream& stream, std::uint32_t code);
  /// How nghttp2 gets the body that the session writes.
  nghttp2_data_provider body_of(Stream& stream);

  /// A block of fields has come for the stream.
  virtual void on_head(Stream& stream, const HeadText& head, bool ends) = 0;
  /// The session has written a head: submits it, and sets scanner_ for what follows. False: it cannot be passed on.
  virtual bool submit_head(Stream& stream, std::string_view head) = 0;
  /// The session has written to the stream.
  virtual void after_write(Stream& stream) = 0;
  virtual void on_channel_closed(Stream& stream) = 0;
  virtual void on_stream_closed(Stream& stream, std::uint32_t error) = 0;

 private:
  friend class Stream;
  friend class StreamChannel;
  struct Callbacks;  // what nghttp2 calls

  bool read(Channel& transport, bool& more);
  bool write(Channel& transport, bool& more);
  bool fill();
  void consume(Stream& stream, std::size_t size);
  void end_output(Stream& stream);
  void on_closed(Stream& stream, std::uint32_t error);
  Stream* find(std::int32_t id) const;
  ssize_t begin_data(Stream& stream, std::size_t limit, std::uint32_t& flags);
  int send_data(Stream& stream, const std::uint8_t* frame_head, std::size_t size);
  void send_trailers(Stream& stream);

  Poller& poller_;
  BufferPool& buffers_;
  Turn& turn_;  // of the derived class
  nghttp2_session* session_ = nullptr;
  Role role_;
  Streams streams_;
  std::size_t stream_count_ = 0;
  std::vector<std::unique_ptr<Stream>> spare_;
  HeadText head_;
  Buffer out_;
  std::string_view unsent_;  ///< of a frame that did not fit in out_; nghttp2's memory
  std::uint32_t empty_frames_ = 0;
  bool advancing_ = false;
  bool settings_seen_ = false;
  bool goaway_seen_ = false;
};

/// A field for nghttp2, which copies it and puts its name into lower case.
nghttp2_nv field(std::string_view name, std::string_view value, bool indexed = true);

}  // namespace flylocal::proxy::h2
