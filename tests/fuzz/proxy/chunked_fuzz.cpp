#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/http1/body.hpp"

using flylocal::proxy::http1::BodyScanner;

namespace {

struct Result {
  std::string payload;
  std::string forwarded;
  bool ended = false;
  bool malformed = false;
  std::size_t used = 0;

  bool operator==(const Result&) const = default;
};

Result scan(std::string_view bytes, std::size_t portion) {
  Result result;
  BodyScanner scanner = BodyScanner::chunked();
  std::size_t given = std::min(portion, bytes.size());
  for (;;) {
    std::string_view waiting = bytes.substr(result.used, given - result.used);
    auto [kind, size] = scanner.next(waiting);
    switch (kind) {
      case BodyScanner::Kind::more:
        if (given == bytes.size()) return result;
        given = std::min(given + portion, bytes.size());
        continue;
      case BodyScanner::Kind::end:
        result.ended = true;
        return result;
      case BodyScanner::Kind::malformed:
        result.malformed = true;
        return result;
      case BodyScanner::Kind::payload:
        result.payload += waiting.substr(0, size);
        [[fallthrough]];
      case BodyScanner::Kind::framing:
        result.forwarded += waiting.substr(0, size);
        [[fallthrough]];
      case BodyScanner::Kind::dropped:
        if (size == 0 || size > waiting.size()) std::abort();
        result.used += size;
    }
  }
}

}  // namespace

/// A body means the same however its bytes come, and what is passed on of it means the same as it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Result whole = scan(bytes, size + 1);
  Result dripping = scan(bytes, 1);
  if (whole.ended != dripping.ended || whole.malformed != dripping.malformed) std::abort();
  if (!whole.malformed && whole != dripping) std::abort();
  if (whole.ended) {
    Result again = scan(whole.forwarded, whole.forwarded.size() + 1);
    if (!again.ended || again.payload != whole.payload || again.forwarded != whole.forwarded) std::abort();
  }
  return 0;
}
