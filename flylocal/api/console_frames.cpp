#include "flylocal/api/console_frames.hpp"

namespace flylocal::api {
namespace {

constexpr std::size_t kHeadBytes = 5;

}  // namespace

std::string encode_number(std::uint32_t value) {
  std::string octets(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) octets[i] = static_cast<char>(value >> (24 - 8 * i));
  return octets;
}

std::uint32_t decode_number(std::string_view octets) {
  std::uint32_t value = 0;
  for (unsigned char octet : octets) value = value << 8 | octet;
  return value;
}

std::string encode_frame(FrameType type, std::string_view payload) {
  std::string frame(1, static_cast<char>(type));
  frame += encode_number(static_cast<std::uint32_t>(payload.size()));
  frame += payload;
  return frame;
}

std::optional<Frame> FrameReader::next() {
  if (broken_ || buffer_.size() < kHeadBytes) return std::nullopt;
  const auto type = static_cast<std::uint8_t>(buffer_[0]);
  const std::size_t length = decode_number(std::string_view(buffer_).substr(1, 4));
  if (type > static_cast<std::uint8_t>(FrameType::kExit) || length > kMaxFramePayload) {
    broken_ = true;
    return std::nullopt;
  }
  if (buffer_.size() < kHeadBytes + length) return std::nullopt;
  Frame frame{static_cast<FrameType>(type), buffer_.substr(kHeadBytes, length)};
  buffer_.erase(0, kHeadBytes + length);
  return frame;
}

}  // namespace flylocal::api
