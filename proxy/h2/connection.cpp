#include "proxy/h2/connection.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "proxy/h2/session_memory.hpp"
#include "proxy/http1/head.hpp"

namespace flylocal::proxy::h2 {
namespace {

constexpr std::size_t kBytesPerTurn = 512 * 1024;
constexpr std::size_t kFrameHead = 9;
constexpr std::size_t kSpareStreams = 64;
// DATA frames without data have no honest use in numbers (CVE-2019-9518).
constexpr std::uint32_t kMaxEmptyFrames = 1000;
// Streams that a peer opens and resets (CVE-2023-44487): so many at once, and then a second.
constexpr std::uint64_t kResetBurst = 500;
constexpr std::uint64_t kResetRate = 50;

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

nghttp2_nv field(std::string_view name, std::string_view value, bool indexed) {
  // The interface is older than const.
  auto* name_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  auto* value_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  return {name_bytes, value_bytes, name.size(), value.size(),
          static_cast<std::uint8_t>(indexed ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX)};
}

struct Connection::Callbacks {
  static Connection& of(void* user) { return *static_cast<Connection*>(user); }
  static Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& self = of(user);
    self.head_.clear();
    bool request = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (!request) return 0;
    Stream& stream = self.open_stream();
    stream.id_ = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, stream.id_, &stream);
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    of(user).head_.add(text(name, name_size), text(value, value_size));
    return 0;
  }
  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& self = of(user);
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream) self.on_head(*stream, self.head_, ends);
        return 0;
      }
      case NGHTTP2_DATA: {
        if (frame->hd.length == 0 && !ends && ++self.empty_frames_ > kMaxEmptyFrames) {
          return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
        }
        Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream && ends) stream->end_input();
        return 0;
      }
      case NGHTTP2_SETTINGS:
        self.settings_seen_ = true;
        return 0;
      case NGHTTP2_GOAWAY:
        self.goaway_seen_ = true;
        return 0;
      default:
        return 0;
    }
  }
  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void*) {
    nghttp2_session_consume_connection(session, size);
    if (Stream* stream = stream_of(session, id)) stream->take_data(text(data, size));
    return 0;
  }
  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error, void* user) {
    if (Stream* stream = stream_of(session, id)) of(user).on_closed(*stream, error);
    return 0;
  }
  static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (!ends || of(user).role_ == Role::client) return 0;
    Stream* stream = stream_of(session, frame->hd.stream_id);
    // RFC 9113 8.1: the answer is complete, and nobody reads the rest of the request.
    if (stream && !stream->in_ended_ && stream->in_framing_ != Framing::raw) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_NO_ERROR);
    }
    return 0;
  }
  /// A request that was submitted too late: the machine had said goodbye. nghttp2 has no stream to close then.
  static int on_frame_not_send(nghttp2_session* session, const nghttp2_frame* frame, int, void* user) {
    bool request = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (!request || stream_of(session, frame->hd.stream_id)) return 0;
    if (Stream* stream = of(user).find(frame->hd.stream_id)) of(user).on_closed(*stream, NGHTTP2_REFUSED_STREAM);
    return 0;
  }
  static ssize_t on_read_body(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t limit, std::uint32_t* flags,
                              nghttp2_data_source* source, void* user) {
    return of(user).begin_data(*static_cast<Stream*>(source->ptr), limit, *flags);
  }
  static int on_send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head, std::size_t size,
                          nghttp2_data_source* source, void* user) {
    return of(user).send_data(*static_cast<Stream*>(source->ptr), frame_head, size);
  }

  /// Made once, for all connections.
  static const nghttp2_session_callbacks* shared() {
    static nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(made, on_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame_recv);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, on_frame_send);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(made, on_frame_not_send);
      nghttp2_session_callbacks_set_send_data_callback(made, on_send_data);
      return made;
    }();
    return callbacks;
  }
  static const nghttp2_option* options() {
    static nghttp2_option* const option = [] {
      nghttp2_option* made = nullptr;
      if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
      nghttp2_option_set_no_auto_window_update(made, 1);
      nghttp2_option_set_no_closed_streams(made, 1);
      nghttp2_option_set_stream_reset_rate_limit(made, kResetBurst, kResetRate);
      return made;
    }();
    return option;
  }
};

Connection::Connection(Poller& poller, BufferPool& buffers, Turn& turn, Role role)
    : poller_(poller), buffers_(buffers), turn_(turn), role_(role), out_(buffers) {
  auto make = role == Role::server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  if (make(&session_, Callbacks::shared(), this, Callbacks::options(), session_memory()) != 0) throw std::bad_alloc();
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Connection::~Connection() {
  nghttp2_session_del(session_);
}

void Connection::submit_settings(std::initializer_list<nghttp2_settings_entry> settings) {
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.begin(), settings.size());
}

void Connection::submit_goaway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Connection::want_turn() {
  if (!advancing_) poller_.schedule(turn_);
}

// ---- moving bytes

bool Connection::advance(Channel& transport) {
  advancing_ = true;
  bool more = false;
  bool going_on = read(transport, more) && write(transport, more);
  advancing_ = false;
  if (more) want_turn();
  if (!going_on) return false;
  // nghttp2 wants neither after a GOAWAY, of either side, when the last stream has ended.
  return nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_) || !out_.empty();
}

bool Connection::feed(std::string_view bytes) {
  bool was_advancing = std::exchange(advancing_, true);
  ssize_t used = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  advancing_ = was_advancing;
  return used == static_cast<ssize_t>(bytes.size());
}

bool Connection::read(Channel& transport, bool& more) {
  if (!transport.readable()) return true;
  BufferPool::Block block = buffers_.take();
  bool going_on = true;
  for (std::size_t taken = 0; going_on;) {
    if (taken >= kBytesPerTurn) {
      more = true;
      break;
    }
    Transfer got = transport.read({block.get(), kBufferSize});
    if (got.status == Transfer::Status::blocked) break;
    going_on = got.status == Transfer::Status::moved && feed({block.get(), got.bytes});
    taken += got.bytes;
  }
  buffers_.put_back(std::move(block));
  // What the peer is told about its mistake is worth a try; it need not arrive.
  if (!going_on) write(transport, more);
  return going_on;
}

bool Connection::write(Channel& transport, bool& more) {
  for (std::size_t moved = 0;;) {
    if (!fill()) return false;
    if (out_.empty()) return true;
    if (moved >= kBytesPerTurn) {
      more = true;
      return true;
    }
    std::string_view bytes = out_.bytes();
    // The kernel does not write through an iovec; the interface is older than const.
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    Transfer sent = transport.write({&piece, 1});
    if (sent.status == Transfer::Status::blocked) return true;
    if (sent.status != Transfer::Status::moved) return false;
    out_.consume(sent.bytes);
    moved += sent.bytes;
  }
}

/// Takes frames from nghttp2 until there are no more or out_ is full. False: nghttp2 has failed.
bool Connection::fill() {
  for (;;) {
    if (unsent_.empty()) {
      if (out_.full()) return true;
      const std::uint8_t* frame = nullptr;
      ssize_t size = nghttp2_session_mem_send(session_, &frame);
      if (size < 0) return false;
      if (size == 0) return true;
      unsent_ = text(frame, static_cast<std::size_t>(size));
    }
    std::span<char> space = out_.space();
    std::size_t count = std::min(space.size(), unsent_.size());
    std::memcpy(space.data(), unsent_.data(), count);
    out_.commit(count);
    unsent_.remove_prefix(count);
    if (!unsent_.empty()) return true;
  }
}

// ---- bodies that the session writes

nghttp2_data_provider Connection::body_of(Stream& stream) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::on_read_body;
  return provider;
}

ssize_t Connection::begin_data(Stream& stream, std::size_t limit, std::uint32_t& flags) {
  std::size_t waiting = stream.out_.bytes().size();
  bool ended = stream.out_state_ == Stream::Out::ended;
  if (waiting == 0 && !ended) {
    stream.deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  std::size_t size = std::min(limit, waiting);
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (ended && size == waiting) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.trailers_.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      send_trailers(stream);
    }
  }
  return static_cast<ssize_t>(size);
}

int Connection::send_data(Stream& stream, const std::uint8_t* frame_head, std::size_t size) {
  std::span<char> space = out_.space();
  if (space.size() < kFrameHead + size) {
    out_.commit(0);
    return NGHTTP2_ERR_WOULDBLOCK;
  }
  std::memcpy(space.data(), frame_head, kFrameHead);
  if (size > 0) std::memcpy(space.data() + kFrameHead, stream.out_.bytes().data(), size);
  out_.commit(kFrameHead + size);
  stream.out_.consume(size);
  StreamChannel* channel = stream.channel_;
  if (channel && !channel->writable_ && stream.out_.bytes().size() <= kBufferSize / 2) set_writable(stream);
  return 0;
}

void Connection::send_trailers(Stream& stream) {
  std::vector<nghttp2_nv> fields;
  std::string_view lines = stream.trailers_;
  while (!lines.empty()) {
    std::size_t end = lines.find("\r\n");
    http1::Field trailer;
    // The scanner has parsed each line before.
    if (!http1::parse_field_line(lines.substr(0, end), trailer)) fields.push_back(field(trailer.name, trailer.value));
    lines.remove_prefix(end + 2);
  }
  nghttp2_submit_trailer(session_, stream.id_, fields.data(), fields.size());
}

void Connection::set_writable(Stream& stream) {
  stream.channel_->writable_ = true;
  stream.channel_->wake();
}

void Connection::resume(Stream& stream) {
  if (stream.closed_) return;
  if (std::exchange(stream.deferred_, false)) nghttp2_session_resume_data(session_, stream.id_);
  want_turn();
}

void Connection::end_output(Stream& stream) {
  if (stream.out_state_ != Stream::Out::body || stream.closed_) return;
  stream.out_state_ = Stream::Out::ended;
  resume(stream);
}

void Connection::consume(Stream& stream, std::size_t size) {
  nghttp2_session_consume_stream(session_, stream.id_, size);
  want_turn();
}

// ---- streams

Stream& Connection::open_stream() {
  std::unique_ptr<Stream> stream;
  if (spare_.empty()) {
    stream = std::make_unique<Stream>(buffers_);
  } else {
    stream = std::move(spare_.back());
    spare_.pop_back();
  }
  stream->connection_ = this;
  streams_.push_back(*stream);
  ++stream_count_;
  return *stream.release();  // streams_ and release() own it from here
}

void Connection::release(Stream& stream) {
  std::unique_ptr<Stream> owned(&stream);
  stream.unlink();
  --stream_count_;
  stream.reset();
  if (spare_.size() < kSpareStreams) spare_.push_back(std::move(owned));
}

void Connection::bind(Stream& stream, StreamChannel& channel, bool writable) {
  stream.channel_ = &channel;
  channel.stream_ = &stream;
  channel.writable_ = writable;
}

/// The channel is free; what the stream still has to send goes on without it.
void Connection::unbind(Stream& stream) {
  StreamChannel& channel = *std::exchange(stream.channel_, nullptr);
  channel.stream_ = nullptr;
  channel.readable_ = channel.writable_ = false;
  if (stream.closed_) release(stream);
}

void Connection::send_reset(Stream& stream, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, code);
  want_turn();
}

/// The session sees a break.
void Connection::fail(Stream& stream) {
  stream.failed_ = true;
  if (!stream.channel_) return;
  stream.channel_->readable_ = stream.channel_->broken_ = true;
  stream.channel_->wake();
}

void Connection::on_closed(Stream& stream, std::uint32_t error) {
  stream.closed_ = true;
  on_stream_closed(stream, error);
  if (!stream.channel_) release(stream);
}

Stream* Connection::find(std::int32_t id) const {
  for (const Stream& stream : streams_) {
    if (stream.id_ == id) return const_cast<Stream*>(&stream);
  }
  return nullptr;
}

void Connection::abandon() {
  while (!streams_.empty()) {
    Stream& stream = streams_.front();
    bool was_closed = std::exchange(stream.closed_, true);
    if (!was_closed) on_stream_closed(stream, NGHTTP2_INTERNAL_ERROR);
    stream.connection_ = nullptr;
    stream.unlink();
    --stream_count_;
    if (!stream.channel_) delete &stream;
  }
}

}  // namespace flylocal::proxy::h2
