#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/tls/plain_request.hpp"
#include "proxy/tls/postgres_opening.hpp"

using namespace flylocal::proxy::tls;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

/// What a connection begins with means the same however its bytes come: only what is incomplete may become something
/// else. And nothing of a plain request that could steer a client is shown to it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const PostgresOpening postgres = read_postgres_opening(bytes);
  const PlainRequest request = read_plain_request(bytes);
  for (std::size_t part = 0; part < size; ++part) {
    const std::string_view begin = bytes.substr(0, part);
    const PostgresOpening before = read_postgres_opening(begin);
    require(before == PostgresOpening::incomplete || before == postgres);
    const PlainRequest earlier = read_plain_request(begin);
    require(earlier.state == PlainRequest::State::incomplete || earlier.state == request.state);
    if (earlier.state == PlainRequest::State::request) require(earlier.target == request.target && earlier.host == request.host);
  }
  if (request.state != PlainRequest::State::request) return 0;
  const std::string refusal = plain_request_refusal(request, true);
  const std::size_t body = refusal.find("\r\n\r\n");
  require(body != std::string::npos);
  require(refusal.find_first_of("\r\n", body + 4) == refusal.size() - 1);
  require(refusal.find('<', body) == std::string::npos || request.target.find('<') != std::string_view::npos);
  return 0;
}
