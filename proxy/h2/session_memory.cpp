#include "proxy/h2/session_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "proxy/io/kept_memory.hpp"

namespace flylocal::proxy::h2 {
namespace {

/// What stands before each piece, as nghttp2 does not say how large it was.
struct alignas(std::max_align_t) Head {
  std::size_t size;
};

Head* head_of(void* memory) { return static_cast<Head*>(memory) - 1; }

void* take(std::size_t size, void*) {
  try {
    Head* const head = new (kept_memory::take(sizeof(Head) + size)) Head{size};
    return head + 1;
  } catch (const std::bad_alloc&) {
    return nullptr;  // nghttp2 makes an error of it
  }
}

void give_back(void* memory, void*) {
  if (memory) kept_memory::give_back(head_of(memory), sizeof(Head) + head_of(memory)->size);
}

void* take_zeros(std::size_t count, std::size_t size, void* user) {
  std::size_t total = 0;
  if (__builtin_mul_overflow(count, size, &total)) return nullptr;
  void* const memory = take(total, user);
  return memory ? std::memset(memory, 0, total) : nullptr;
}

void* resize(void* memory, std::size_t size, void* user) {
  void* const larger = take(size, user);
  if (!larger || !memory) return larger;
  std::memcpy(larger, memory, std::min(size, head_of(memory)->size));
  give_back(memory, user);
  return larger;
}

}  // namespace

nghttp2_mem* session_memory() {
  static nghttp2_mem memory{nullptr, take, give_back, take_zeros, resize};
  return &memory;
}

}  // namespace flylocal::proxy::h2
