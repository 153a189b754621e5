#pragma once

#include <nghttp2/nghttp2.h>

namespace flylocal::proxy::h2 {

/// Where nghttp2 has its memory from: for a request it makes and drops a dozen small pieces.
nghttp2_mem* session_memory();

}  // namespace flylocal::proxy::h2
