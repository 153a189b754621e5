#include "proxy/h2/stream.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "proxy/h2/connection.hpp"
#include "proxy/http1/head.hpp"

namespace flylocal::proxy::h2 {
namespace {

constexpr std::size_t kKeptMemory = 8 * 1024;
constexpr std::size_t kMaxTrailers = 16 * 1024;

void forget(std::string& text) {
  text.clear();
  if (text.capacity() > kKeptMemory) text.shrink_to_fit();
}

}  // namespace

// ---- StreamChannel

Transfer StreamChannel::read(std::span<char> space) {
  if (stream_) return stream_->read(space);
  if (peer_ended_) return {Transfer::Status::closed};
  readable_ = false;
  return {Transfer::Status::blocked};
}

Transfer StreamChannel::write(std::span<iovec> pieces) {
  if (!stream_ || stream_->failed_ || stream_->closed_) return {Transfer::Status::failed, 0, EPIPE};
  if (!writable_) return {Transfer::Status::blocked};
  return stream_->write(pieces);
}

void StreamChannel::shutdown_write() {
  if (stream_ && stream_->connection_) stream_->connection_->end_output(*stream_);
}

void StreamChannel::close() {
  unlink();
  if (!stream_) return;
  Stream& stream = *std::exchange(stream_, nullptr);
  stream.channel_ = nullptr;
  if (stream.connection_) {
    stream.connection_->on_channel_closed(stream);
  } else {
    delete &stream;
  }
  readable_ = writable_ = false;
  peer_ended_ = true;
}

bool StreamChannel::was_refused() const {
  return stream_ && stream_->refused_;
}

bool StreamChannel::is_not_http2() const {
  return stream_ && stream_->not_http2_;
}

int StreamChannel::error() const {
  return stream_ ? stream_->error_ : 0;
}

void StreamChannel::end() {
  readable_ = peer_ended_ = true;
  writable_ = false;
  wake();
}

// ---- Stream

void Stream::reset() {
  channel_ = nullptr;
  id_ = 0;
  forget(in_);
  forget(partial_head_);
  forget(trailers_);
  in_at_ = unconsumed_ = 0;
  held_from_ = kNothingHeld;
  in_framing_ = Framing::none;
  upgrade_.reset();
  out_.clear();
  scanner_ = http1::BodyScanner::none();
  out_state_ = Out::head;
  in_begun_ = in_ended_ = is_head_request_ = may_upgrade_ = tells_close_ = deferred_ = false;
  read_from_ = closed_ = failed_ = refused_ = not_http2_ = false;
  error_ = 0;
}

void Stream::note_readable() {
  if (!channel_) return;
  channel_->readable_ = true;
  channel_->wake();
}

/// DATA from the peer.
void Stream::take_data(std::string_view data) {
  // Nobody reads it, or none is expected: nghttp2 lets empty frames through.
  if (!channel_ || in_framing_ == Framing::none) return;
  unconsumed_ += data.size();
  if (in_framing_ == Framing::chunked) {
    char digits[16];
    auto [end, error] = std::to_chars(digits, digits + sizeof digits, data.size(), 16);
    in_.append(digits, end).append("\r\n").append(data).append("\r\n");
  } else {
    in_.append(data);
  }
  if (held_from_ == kNothingHeld) note_readable();
}

/// The peer's END_STREAM, without trailers.
void Stream::end_input() {
  if (in_ended_) return;
  in_ended_ = true;
  if (in_framing_ == Framing::chunked) in_ += "0\r\n\r\n";
  note_readable();
}

Transfer Stream::read(std::span<char> space) {
  if (!has_visible()) {
    if (failed_) return {Transfer::Status::failed, 0, error_ ? error_ : ECONNRESET};
    if (in_framing_ == Framing::raw && in_ended_ && held_from_ == kNothingHeld) return {Transfer::Status::closed};
    channel_->readable_ = false;
    return {Transfer::Status::blocked};
  }
  std::size_t size = std::min(space.size(), std::min(in_.size(), held_from_) - in_at_);
  std::memcpy(space.data(), in_.data() + in_at_, size);
  in_at_ += size;
  read_from_ = true;
  consume(size);
  channel_->readable_ = has_visible() || failed_ || (in_framing_ == Framing::raw && in_ended_);
  return {Transfer::Status::moved, size};
}

/// Gives the peer's window back what was read. Heads and chunk sizes count too, until all is read: that errs by
/// less than a window.
void Stream::consume(std::size_t size) {
  if (in_at_ == in_.size()) {
    in_.clear();
    in_at_ = 0;
    if (held_from_ != kNothingHeld) held_from_ = 0;
    size = unconsumed_;
  } else if (in_at_ > kBufferSize && held_from_ == kNothingHeld) {
    in_.erase(0, in_at_);
    in_at_ = 0;
  }
  size = std::min(size, unconsumed_);
  if (size == 0) return;
  unconsumed_ -= size;
  if (connection_ && !closed_) connection_->consume(*this, size);
}

Transfer Stream::write(std::span<iovec> pieces) {
  std::size_t total = 0;
  bool going_on = true;
  for (const iovec& piece : pieces) {
    std::string_view bytes(static_cast<const char*>(piece.iov_base), piece.iov_len);
    while (going_on && !bytes.empty()) {
      std::size_t used = 0;
      going_on = take_written(bytes, used);
      bytes.remove_prefix(used);
      total += used;
    }
  }
  if (failed_) return {Transfer::Status::failed, 0, EPIPE};
  // May give the channel to the next stream.
  connection_->after_write(*this);
  if (total == 0) return {Transfer::Status::blocked};
  return {Transfer::Status::moved, total};
}

/// False: no more can be taken now. What is not HTTP/1.1 ends the stream: the sessions write none such.
bool Stream::take_written(std::string_view bytes, std::size_t& used) {
  switch (out_state_) {
    case Out::head: {
      std::string_view head = bytes;
      std::size_t before = partial_head_.size();
      if (before > 0) head = partial_head_.append(bytes);
      http1::HeadEnd end = http1::find_head_end(head, before);
      if (end.error || (end.size == 0 && head.size() > 2 * kBufferSize)) break;
      if (end.size == 0) {
        if (before == 0) partial_head_ = bytes;
        used = bytes.size();
        return true;
      }
      used = end.size - before;
      if (!connection_->submit_head(*this, head.substr(0, end.size))) break;
      partial_head_.clear();
      return true;
    }
    case Out::body:
      if (!take_body(bytes, used)) break;
      return used > 0;
    case Out::ended:
      break;
  }
  failed_ = true;
  used = 0;
  return false;
}

/// False: malformed. Uses nothing when there is no room.
bool Stream::take_body(std::string_view bytes, std::size_t& used) {
  using Kind = http1::BodyScanner::Kind;
  while (used < bytes.size()) {
    bool in_trailers = scanner_.in_trailers();
    std::span<char> space = out_.space();
    // Only content needs room, but a piece may be content.
    std::string_view rest = in_trailers ? bytes.substr(used) : bytes.substr(used, space.size());
    if (rest.empty()) {
      out_.commit(0);
      channel_->writable_ = false;
      break;
    }
    auto piece = scanner_.next(rest);
    if (piece.kind == Kind::payload) std::memcpy(space.data(), rest.data(), piece.size);
    out_.commit(piece.kind == Kind::payload ? piece.size : 0);
    if (piece.kind == Kind::malformed || piece.kind == Kind::more || piece.kind == Kind::end) return false;
    if (in_trailers && piece.kind == Kind::framing && piece.size > 2) {
      trailers_.append(rest.substr(0, piece.size));
      if (trailers_.size() > kMaxTrailers) return false;
    }
    used += piece.size;
    if (scanner_.ended()) {
      out_state_ = Out::ended;
      return used == bytes.size();
    }
  }
  return true;
}

}  // namespace flylocal::proxy::h2
