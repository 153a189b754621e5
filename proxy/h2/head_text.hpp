#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/request_id.hpp"

namespace flylocal::proxy::h2 {

/// The largest list of fields that is taken: SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113 6.5.2), 32 octets more for
/// each field than its name and value have.
inline constexpr std::size_t kMaxHeaderList = 64 * 1024;

/// How the bytes after a head are delimited when they are written as HTTP/1.1.
enum class Framing : std::uint8_t {
  none,
  length,   ///< Content-Length says how many follow
  chunked,
  raw,      ///< another protocol's bytes, once the upgrade was agreed to
};

/// Takes one block of HTTP/2 fields and writes it as the head, or the trailers, of an HTTP/1.1 message.
/// Its strings keep their memory from one block to the next.
class HeadText {
 public:
  void clear();
  /// One field as HPACK gives it: the name in lower case, pseudo-fields first.
  void add(std::string_view name, std::string_view value);

  bool is_too_large() const { return too_large_; }
  bool is_head_request() const { return method_ == "HEAD"; }
  /// RFC 8441: CONNECT with :protocol.
  bool is_extended_connect() const { return method_ == "CONNECT" && !protocol_.empty(); }
  std::uint16_t status() const { return status_; }

  /// Appends a request's head. `ends`: no body follows. Returns false, and appends nothing, when the fields have
  /// no meaning in HTTP/1.1: the stream is malformed then (RFC 9113 8.1.1).
  bool append_request(std::string& out, bool ends, RandomBits& random, Framing& framing) const;
  /// Appends an answer's head. `bodiless`: no body follows whatever the fields say (RFC 9112 6.3).
  void append_response(std::string& out, bool ends, bool bodiless, Framing& framing) const;
  /// Appends the head of an answer that agrees to a WebSocket; `accept` is its Sec-WebSocket-Accept.
  void append_upgrade(std::string& out, std::string_view accept) const;
  /// Appends the end of a chunked body with these fields as its trailers.
  void append_trailers(std::string& out) const;

 private:
  bool is_plain() const;

  std::string method_;
  std::string path_;
  std::string authority_;
  std::string protocol_;
  std::string host_;
  std::string cookies_;
  std::string fields_;
  std::size_t list_size_ = 0;
  std::uint16_t status_ = 0;
  bool has_length_ = false;
  bool too_large_ = false;
};

}  // namespace flylocal::proxy::h2
