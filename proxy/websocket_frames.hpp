#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace flylocal::proxy {

/// Follows the frames of one direction of a WebSocket (RFC 6455 5.2) as their octets go by, to know where one may be put
/// in between. What the frames mean is no matter of its.
class WebSocketFrames {
 public:
  void pass(std::string_view octets) {
    while (!octets.empty()) {
      if (payload_left_ > 0) {
        const std::uint64_t count = std::min<std::uint64_t>(payload_left_, octets.size());
        payload_left_ -= count;
        octets.remove_prefix(count);
        continue;
      }
      pass_head(static_cast<std::uint8_t>(octets.front()));
      octets.remove_prefix(1);
    }
  }

  /// All that went by were whole frames.
  bool between_frames() const { return head_size_ == 0 && payload_left_ == 0; }

 private:
  void pass_head(std::uint8_t octet) {
    ++head_size_;
    if (head_size_ == 2) {
      const std::uint8_t length = octet & 0x7f;
      length_octets_ = length == 126 ? 2 : length == 127 ? 8 : 0;
      mask_octets_ = (octet & 0x80) != 0 ? 4 : 0;
      length_ = length_octets_ == 0 ? length : 0;
    } else if (head_size_ > 2 && head_size_ <= 2 + length_octets_) {
      length_ = length_ << 8 | octet;
    }
    if (head_size_ < 2 || head_size_ < 2 + length_octets_ + mask_octets_) return;
    payload_left_ = length_;
    head_size_ = length_octets_ = mask_octets_ = 0;
  }

  std::uint64_t length_ = 0;
  std::uint64_t payload_left_ = 0;
  std::uint8_t head_size_ = 0;  ///< octets of the present frame's head that went by
  std::uint8_t length_octets_ = 0;
  std::uint8_t mask_octets_ = 0;
};

/// A server's close frame with the code 1001, "going away" (RFC 6455 5.5.1 and 7.4.1).
inline constexpr std::string_view kGoingAway = "\x88\x02\x03\xe9";

}  // namespace flylocal::proxy
