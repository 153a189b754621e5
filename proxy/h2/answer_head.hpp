#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace flylocal::proxy::h2 {

/// The head of an answer that a session has written as HTTP/1.1, taken apart for HTTP/2. Keeps its memory from one answer
/// to the next; points into the bytes that were read.
struct AnswerHead {
  std::uint16_t status = 0;
  /// `:status`, and what passes on to HTTP/2 (RFC 9113 8.2.2).
  std::vector<nghttp2_nv> fields;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool connection_close = false;

  /// Reads a whole head with its empty line. A session writes one blank behind each colon and checks names and values
  /// before, so they are not looked at again; false: the bytes are not what a session writes.
  bool read(std::string_view head);

 private:
  bool take(std::string_view name, std::string_view value);
};

}  // namespace flylocal::proxy::h2
