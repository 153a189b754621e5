#pragma once

#include <cstddef>

/// Memory for what sessions make and drop all the time. What is given back is kept for the next one of about the same
/// size, by each thread for itself; large pieces, and more than a thousand of a size, go back to the heap.
namespace flylocal::proxy::kept_memory {

/// Throws std::bad_alloc. Aligned for everything.
void* take(std::size_t size);
/// With the size that was asked for.
void give_back(void* memory, std::size_t size);

}  // namespace flylocal::proxy::kept_memory
