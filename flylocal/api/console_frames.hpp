#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flylocal::api {

/// The console's protocol behind the upgrade: frames of a type, a length (4 octets, big-endian) and a payload.
enum class FrameType : std::uint8_t {
  kInput,     ///< to the machine: bytes for stdin
  kInputEnd,  ///< to the machine: no more input
  kResize,    ///< to the machine: rows and columns, 2 octets each
  kOutput,    ///< from the machine: stdout (with a terminal, all output)
  kError,     ///< from the machine: stderr
  kExit,      ///< from the machine, last: the exit code, 4 octets
};

struct Frame {
  FrameType type;
  std::string payload;
};

inline constexpr std::size_t kMaxFramePayload = 1024 * 1024;

std::string encode_frame(FrameType type, std::string_view payload);

/// Collects bytes and gives whole frames.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// The next frame; nothing while it is not complete.
  std::optional<Frame> next();
  /// Set once a frame was longer than allowed or of no known type: the stream cannot be followed any more.
  bool broken() const { return broken_; }

 private:
  std::string buffer_;
  bool broken_ = false;
};

std::string encode_number(std::uint32_t value);
std::uint32_t decode_number(std::string_view octets);

}  // namespace flylocal::api
