#include "proxy/io/kept_memory.hpp"

#include <array>
#include <cstdint>
#include <new>
#include <utility>

namespace flylocal::proxy::kept_memory {
namespace {

// GCC and clang say in different ways that AddressSanitizer is on, which has to see each piece's end.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FLYLOCAL_KEEPS_NO_MEMORY
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FLYLOCAL_KEEPS_NO_MEMORY
#endif

#ifdef FLYLOCAL_KEEPS_NO_MEMORY
constexpr std::size_t kMostSteps = 0;
#else
constexpr std::size_t kMostSteps = 64;
#endif
constexpr std::size_t kStep = 64;
constexpr std::uint32_t kMostOfASize = 1024;

/// Pieces of one size, each pointing to the next.
struct Kept {
  void* first = nullptr;
  std::uint32_t count = 0;
};

struct Sizes {
  ~Sizes() {
    for (Kept& kept : all) {
      while (kept.first) ::operator delete(std::exchange(kept.first, *static_cast<void**>(kept.first)));
      kept.count = kMostOfASize;  // what comes from now on is not kept
    }
  }
  std::array<Kept, kMostSteps + 1> all;
};

thread_local Sizes sizes;

/// At least one: there has to be room for the pointer.
constexpr std::size_t steps(std::size_t size) { return size == 0 ? 1 : (size + kStep - 1) / kStep; }

}  // namespace

void* take(std::size_t size) {
  if (steps(size) > kMostSteps) return ::operator new(size);
  Kept& kept = sizes.all[steps(size)];
  if (!kept.first) return ::operator new(steps(size) * kStep);
  --kept.count;
  return std::exchange(kept.first, *static_cast<void**>(kept.first));
}

void give_back(void* memory, std::size_t size) {
  if (steps(size) > kMostSteps) return ::operator delete(memory);
  Kept& kept = sizes.all[steps(size)];
  if (kept.count >= kMostOfASize) return ::operator delete(memory);
  *static_cast<void**>(memory) = std::exchange(kept.first, memory);
  ++kept.count;
}

}  // namespace flylocal::proxy::kept_memory
