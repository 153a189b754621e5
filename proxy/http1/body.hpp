#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace flylocal::proxy::http1 {

/// Finds out what the bytes of a message's body are, in whatever portions they come (RFC 9112 6 and 7).
/// It keeps no bytes: each call tells what the first of those not yet used up are.
class BodyScanner {
 public:
  enum class Kind : std::uint8_t {
    payload,    ///< content, to be passed on
    framing,    ///< chunk sizes, line ends and permitted trailer fields: to be passed on where the framing
                ///< stays
    dropped,    ///< chunk extensions and trailer fields that are not passed on
    more,       ///< nothing can be said without more bytes
    end,        ///< the body is complete; bytes after it belong to the next message
    malformed,  ///< error() says why
  };
  struct Piece {
    Kind kind;
    std::size_t size;
  };

  static BodyScanner none() { return BodyScanner(State::end, 0); }
  static BodyScanner length(std::uint64_t size) {
    return BodyScanner(size ? State::length : State::end, size);
  }
  static BodyScanner chunked() { return BodyScanner(State::size_first_digit, 0); }
  static BodyScanner until_close() { return BodyScanner(State::until_close, 0); }

  Piece next(std::string_view bytes);

  bool ended() const { return state_ == State::end; }
  bool is_until_close() const { return state_ == State::until_close; }
  /// How many bytes are to come, where the length was given.
  std::optional<std::uint64_t> length_left() const {
    return state_ == State::length ? std::optional(left_) : std::nullopt;
  }
  /// The next piece is a trailer line, or the empty line after all of them.
  bool in_trailers() const { return state_ == State::trailer; }
  std::string_view error() const { return error_; }

 private:
  enum class State : std::uint8_t {
    end,
    length,
    until_close,
    size_first_digit,
    size_digits,
    extension,
    size_line_feed,
    chunk_data,
    data_carriage_return,
    data_line_feed,
    trailer,
    malformed,
  };

  BodyScanner(State state, std::uint64_t left) : state_(state), left_(left) {}
  Piece scan_payload(std::string_view bytes, State next);
  Piece scan_size_line(std::string_view bytes);
  Piece scan_extension(std::string_view bytes);
  Piece scan_trailer(std::string_view bytes);
  Piece malformed(std::string_view why);

  State state_;
  std::uint64_t left_;           ///< bytes of the body, or of the chunk
  std::uint32_t line_size_ = 0;  ///< of the extension or of all trailers so far
  std::string_view error_;
};

}  // namespace flylocal::proxy::http1
