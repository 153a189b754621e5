#include "proxy/pump.hpp"

#include <fmt/format.h>

#include <iterator>

namespace flylocal::proxy {
namespace {

// A pump whose sockets never block gives way to others after so many bytes.
constexpr std::size_t kBytesPerTurn = 512 * 1024;
// Memory for the heads of common requests is kept between messages.
constexpr std::size_t kKeptPrefix = 4096;
// Copying so much costs less than what a second piece costs in a system call.
constexpr std::size_t kAbsorbedBody = 16 * 1024;

using Kind = http1::BodyScanner::Kind;

}  // namespace

void Pump::clear_prefix() {
  prefix_.clear();
  if (prefix_.capacity() > kKeptPrefix) prefix_.shrink_to_fit();
  prefix_written_ = 0;
  bytes_written_ = 0;
  frames_ = nullptr;
  begin_body(http1::BodyScanner::none(), Encoding::verbatim);
}

void Pump::drop_written_prefix() {
  prefix_.erase(0, prefix_written_);
  prefix_written_ = 0;
}

void Pump::begin_body(http1::BodyScanner scanner, Encoding encoding) {
  scanner_ = scanner;
  encoding_ = encoding;
  ready_ = 0;
  body_bytes_ = 0;
  chunk_open_ = false;
  ended_ = scanner_.ended();
}

bool Pump::absorb_body() {
  const auto size = scanner_.length_left();
  if (!size || *size > kAbsorbedBody || *size > in_.bytes().size() || ready_ > 0) return false;
  prefix_.append(in_.bytes().substr(0, *size));
  in_.consume(*size);
  scanner_ = http1::BodyScanner::none();
  ended_ = true;
  return true;
}

/// Finds out what may be written of in_, and drops what may not once it comes first. False: malformed.
bool Pump::scan() {
  while (ready_ < in_.bytes().size()) {
    // A piece that is to be dropped waits until what comes before it has been written, as only the first
    // bytes of in_ can be taken away; the scanner is asked again then, from a copy made before.
    http1::BodyScanner before = scanner_;
    auto piece = scanner_.next(in_.bytes().substr(ready_));
    bool dropped =
        piece.kind == Kind::dropped || (piece.kind == Kind::framing && encoding_ == Encoding::payload_only);
    switch (piece.kind) {
      case Kind::malformed:
        return false;
      case Kind::more:
        return true;
      case Kind::end:
        ended_ = true;
        return true;
      default:
        break;
    }
    if (!dropped) {
      ready_ += piece.size;
    } else if (ready_ == 0) {
      in_.consume(piece.size);
      body_bytes_ += piece.size;
    } else {
      scanner_ = before;
      return true;
    }
    if (scanner_.ended()) {
      ended_ = true;
      return true;
    }
  }
  return true;
}

/// Writes the prefix and what is ready in one go. False: no more can be written now, and `outcome` says why.
bool Pump::write(Channel& sink, Outcome& outcome) {
  iovec pieces[2];
  std::size_t count = 0;
  std::size_t prefix_left = prefix_.size() - prefix_written_;
  if (prefix_left > 0) pieces[count++] = {prefix_.data() + prefix_written_, prefix_left};
  // The kernel does not write through an iovec; the interface is older than const.
  if (ready_ > 0) pieces[count++] = {const_cast<char*>(in_.bytes().data()), ready_};
  Transfer sent = sink.write({pieces, count});
  if (sent.status != Transfer::Status::moved) {
    outcome = sent.status == Transfer::Status::blocked ? Outcome::waiting : Outcome::sink_failed;
    return false;
  }
  bytes_written_ += sent.bytes;
  std::size_t of_prefix = std::min(prefix_left, sent.bytes);
  std::size_t of_body = sent.bytes - of_prefix;
  prefix_written_ += of_prefix;
  ready_ -= of_body;
  body_bytes_ += of_body;
  if (frames_) frames_->pass(in_.bytes().substr(0, of_body));
  in_.consume(of_body);
  return true;
}

void Pump::end_chunks() {
  prefix_ += chunk_open_ ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
  chunk_open_ = false;
}

Pump::Outcome Pump::flush(Channel& sink) {
  Outcome outcome = Outcome::finished;
  while (!prefix_written() && write(sink, outcome)) {
  }
  return outcome;
}

Pump::Outcome Pump::run(Channel& source, Channel& sink) {
  std::size_t moved = 0;
  Outcome outcome = Outcome::waiting;
  for (;;) {
    if (ready_ == 0 && !ended_ && !in_.empty()) {
      if (!scan()) return Outcome::malformed;
      if (encoding_ == Encoding::into_chunks && ready_ > 0) {
        if (prefix_written()) prefix_.clear(), prefix_written_ = 0;
        fmt::format_to(std::back_inserter(prefix_), "{}{:x}\r\n", chunk_open_ ? "\r\n" : "", ready_);
        chunk_open_ = true;
      }
    }
    if (!prefix_written() || ready_ > 0) {
      std::size_t before = ready_;
      if (!write(sink, outcome)) return outcome;
      moved += before - ready_;
      if (moved >= kBytesPerTurn) return Outcome::busy;
      continue;
    }
    if (ended_) return Outcome::finished;
    Transfer got = source.read(in_.space());
    in_.commit(got.bytes);
    switch (got.status) {
      case Transfer::Status::moved:
        break;
      case Transfer::Status::blocked:
        return Outcome::waiting;
      case Transfer::Status::closed:
        if (!scanner_.is_until_close()) return Outcome::truncated;
        ended_ = true;
        if (encoding_ == Encoding::into_chunks) end_chunks();
        break;
      case Transfer::Status::failed:
        return Outcome::source_failed;
    }
  }
}

}  // namespace flylocal::proxy
