#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>

namespace flylocal::proxy {

/// Fast random bits for identifiers and for the choice among equals; not for secrets. (SplitMix64.)
class RandomBits {
 public:
  using result_type = std::uint64_t;
  RandomBits() : state_((std::uint64_t{std::random_device{}()} << 32) | std::random_device{}()) {}
  explicit RandomBits(std::uint64_t seed) : state_(seed) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }

 private:
  std::uint64_t state_;
};

/// Fly-Request-Id: a ULID (48 bits of milliseconds, 80 random ones, in Crockford's base 32), "-" and the
/// edge's region.
class RequestId {
 public:
  static constexpr std::size_t kUlidSize = 26;
  static constexpr std::size_t kMaxRegion = 32;

  RequestId() = default;
  RequestId(std::chrono::system_clock::time_point now, std::string_view region, RandomBits& random);
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, kUlidSize + 1 + kMaxRegion> text_;
  std::uint8_t size_ = 0;
};

}  // namespace flylocal::proxy
