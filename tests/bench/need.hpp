#pragma once

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "flylocal/base/result.hpp"

namespace flylocal::bench {

/// The value; without one the benchmark cannot run here, says why, and ends with ctest's code for "skipped".
template <class T>
T need(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(77);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace flylocal::bench
