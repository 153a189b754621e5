#include "proxy/http1/body.hpp"

#include <algorithm>
#include <iterator>

#include "proxy/http1/head.hpp"

namespace flylocal::proxy::http1 {
namespace {

// Fifteen hexadecimal digits are more bytes than a connection carries, and cannot overflow.
constexpr std::uint64_t kMaxChunkSize = (std::uint64_t{1} << 60) - 1;
constexpr std::uint32_t kMaxExtensions = 4096;
constexpr std::uint32_t kMaxTrailers = 16384;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Besides those that have an id because they mean something to a proxy.
constexpr std::string_view kNeverTrailers[] = {
    "authorization", "cache-control",      "content-encoding",    "content-range", "content-type", "cookie",
    "max-forwards",  "proxy-authenticate", "proxy-authorization", "set-cookie",    "trailer",      "www-authenticate",
};

/// RFC 9110 6.5.1: no trailer may change how the message is framed, routed, trusted, controlled or understood.
/// Everything else passes: gRPC's status is in trailers.
bool is_allowed_as_trailer(const Field& field) {
  return field.id == FieldId::other &&
         std::none_of(std::begin(kNeverTrailers), std::end(kNeverTrailers),
                      [&field](std::string_view name) { return equals_ignoring_case(field.name, name); });
}

}  // namespace

BodyScanner::Piece BodyScanner::malformed(std::string_view why) {
  error_ = why;
  state_ = State::malformed;
  return {Kind::malformed, 0};
}

BodyScanner::Piece BodyScanner::next(std::string_view bytes) {
  if (state_ == State::end) return {Kind::end, 0};
  if (state_ == State::malformed) return {Kind::malformed, 0};
  if (bytes.empty()) return {Kind::more, 0};
  switch (state_) {
    case State::length:
      return scan_payload(bytes, State::end);
    case State::chunk_data:
      return scan_payload(bytes, State::data_carriage_return);
    case State::until_close:
      return {Kind::payload, bytes.size()};
    case State::extension:
      return scan_extension(bytes);
    case State::trailer:
      return scan_trailer(bytes);
    default:
      return scan_size_line(bytes);
  }
}

BodyScanner::Piece BodyScanner::scan_payload(std::string_view bytes, State next) {
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= size;
  if (left_ == 0) state_ = next;
  return {Kind::payload, size};
}

/// From the end of one chunk's data to the beginning of the next one's.
BodyScanner::Piece BodyScanner::scan_size_line(std::string_view bytes) {
  std::size_t used = 0;
  for (; used < bytes.size(); ++used) {
    char c = bytes[used];
    switch (state_) {
      case State::data_carriage_return:
        if (c != '\r') return malformed("a chunk's data is not followed by CR LF (RFC 9112 7.1)");
        state_ = State::data_line_feed;
        break;
      case State::data_line_feed:
        if (c != '\n') return malformed("a chunk's data is not followed by CR LF (RFC 9112 7.1)");
        state_ = State::size_first_digit;
        break;
      case State::size_first_digit:
        if (hex_digit(c) < 0) return malformed("a chunk's size is not a hexadecimal number (RFC 9112 7.1)");
        left_ = static_cast<std::uint64_t>(hex_digit(c));
        line_size_ = 1;
        state_ = State::size_digits;
        break;
      case State::size_digits:
        if (int digit = hex_digit(c); digit >= 0) {
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
          // Leading zeros count as digits too, or a size line could go on for ever.
          if (left_ > kMaxChunkSize || ++line_size_ > 16) {
            return malformed("a chunk's size has too many digits (RFC 9112 7.1)");
          }
        } else if (c == '\r') {
          state_ = State::size_line_feed;
        } else if (c == ';') {
          state_ = State::extension;
          line_size_ = 0;
          if (used > 0) return {Kind::framing, used};
          return scan_extension(bytes);
        } else {
          return malformed("a chunk's size is followed by something else than CR LF or \";\" (RFC 9112 7.1)");
        }
        break;
      case State::size_line_feed:
        if (c != '\n') return malformed("a chunk's size line does not end with CR LF (RFC 9112 7.1)");
        line_size_ = 0;
        state_ = left_ ? State::chunk_data : State::trailer;
        return {Kind::framing, used + 1};
      default:
        return malformed("");  // next() comes here in the states above only
    }
  }
  return {Kind::framing, used};
}

/// RFC 9112 7.1.1: extensions are for the next hop only and nobody has to understand them.
BodyScanner::Piece BodyScanner::scan_extension(std::string_view bytes) {
  std::size_t used = 0;
  for (; used < bytes.size() && bytes[used] != '\r'; ++used) {
    auto octet = static_cast<unsigned char>(bytes[used]);
    if ((octet < 0x20 && octet != '\t') || octet == 0x7f || ++line_size_ > kMaxExtensions) {
      return malformed("a chunk's extension is too long or has a control character (RFC 9112 7.1.1)");
    }
  }
  if (used < bytes.size()) state_ = State::size_digits;  // which takes the CR
  if (used == 0) return scan_size_line(bytes);
  return {Kind::dropped, used};
}

BodyScanner::Piece BodyScanner::scan_trailer(std::string_view bytes) {
  std::size_t feed = bytes.find('\n');
  std::size_t used = feed == std::string_view::npos ? bytes.size() : feed + 1;
  if (line_size_ + used > kMaxTrailers) return malformed("the trailer fields are too long (RFC 9112 7.1.2)");
  if (feed == std::string_view::npos) return {Kind::more, 0};
  line_size_ += static_cast<std::uint32_t>(used);
  if (feed == 0 || bytes[feed - 1] != '\r')
    return malformed("a trailer line ends with a line feed alone (RFC 9112 2.2)");
  std::string_view line = bytes.substr(0, feed - 1);
  if (line.empty()) {
    state_ = State::end;
    return {Kind::framing, used};
  }
  Field field;
  if (auto error = parse_field_line(line, field))
    return malformed("a trailer field is malformed (RFC 9112 7.1.2)");
  return {is_allowed_as_trailer(field) ? Kind::framing : Kind::dropped, used};
}

}  // namespace flylocal::proxy::http1
