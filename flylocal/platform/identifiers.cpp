#include "flylocal/platform/identifiers.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace flylocal::platform {

std::uint64_t random_bits() {
  std::uint64_t bits;
  while (::getrandom(&bits, sizeof bits, 0) != sizeof bits)
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
  return bits;
}

std::string new_machine_id() { return fmt::format("{:014x}", random_bits() >> 8); }

std::string new_volume_id() {
  constexpr char kAlphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string id = "vol_";
  for (int i = 0; i < 16; ++i) id += kAlphabet[random_bits() % 36];
  return id;
}

std::string new_ulid(std::chrono::system_clock::time_point now) {
  constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  constexpr int kTimeDigits = 10, kRandomDigits = 16;
  std::string text(kTimeDigits + kRandomDigits, '0');
  auto milliseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  for (int i = kTimeDigits - 1; i >= 0; --i, milliseconds >>= 5) text[static_cast<std::size_t>(i)] = kCrockford[milliseconds & 31];
  std::uint64_t bits = random_bits();
  for (int i = 0; i < kRandomDigits; ++i, bits >>= 5) {
    if (i == kRandomDigits / 2) bits = random_bits();
    text[static_cast<std::size_t>(kTimeDigits + i)] = kCrockford[bits & 31];
  }
  return text;
}

}  // namespace flylocal::platform
