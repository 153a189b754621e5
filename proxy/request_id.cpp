#include "proxy/request_id.hpp"

#include <algorithm>

namespace flylocal::proxy {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes the lowest 5 * `count` bits of `bits` as digits.
char* write_digits(char* out, std::uint64_t bits, int count) {
  for (int i = count - 1; i >= 0; --i) *out++ = kAlphabet[(bits >> (5 * i)) & 31];
  return out;
}

}  // namespace

RequestId::RequestId(std::chrono::system_clock::time_point now, std::string_view region, RandomBits& random) {
  auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  char* out = write_digits(text_.data(), static_cast<std::uint64_t>(milliseconds), 10);
  out = write_digits(out, random(), 8);
  out = write_digits(out, random(), 8);
  *out++ = '-';
  region = region.substr(0, kMaxRegion);
  out = std::copy(region.begin(), region.end(), out);
  size_ = static_cast<std::uint8_t>(out - text_.data());
}

}  // namespace flylocal::proxy
