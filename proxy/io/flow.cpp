#include "proxy/io/flow.hpp"

#include <array>
#include <cstdint>
#include <new>

namespace flylocal::proxy::flow {
namespace {

// The sanitizer has to see each frame's end.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kLargestKept = 0;
#else
constexpr std::size_t kLargestKept = 4096;
#endif
constexpr std::size_t kStep = 64;
constexpr std::uint32_t kKeptOfASize = 1024;

/// Freed frames of one size, each pointing to the next.
struct Kept {
  void* first = nullptr;
  std::uint32_t count = 0;
};

struct Memory {
  ~Memory() {
    for (Kept& kept : sizes) {
      while (kept.first) ::operator delete(std::exchange(kept.first, *static_cast<void**>(kept.first)));
      kept.count = kKeptOfASize;  // what is freed from now on is not kept
    }
  }
  std::array<Kept, kLargestKept / kStep + 1> sizes;
};

thread_local Memory memory;

}  // namespace

void* allocate(std::size_t size) {
  if (size > kLargestKept) return ::operator new(size);
  Kept& kept = memory.sizes[(size + kStep - 1) / kStep];
  if (!kept.first) return ::operator new((size + kStep - 1) / kStep * kStep);
  --kept.count;
  return std::exchange(kept.first, *static_cast<void**>(kept.first));
}

void release(void* frame, std::size_t size) {
  if (size > kLargestKept) return ::operator delete(frame);
  Kept& kept = memory.sizes[(size + kStep - 1) / kStep];
  if (kept.count >= kKeptOfASize) return ::operator delete(frame);
  *static_cast<void**>(frame) = std::exchange(kept.first, frame);
  ++kept.count;
}

}  // namespace flylocal::proxy::flow
