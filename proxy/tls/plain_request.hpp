#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// HTTP that was sent in plain to a port that speaks TLS.
namespace flylocal::proxy::tls {

struct PlainRequest {
  enum class State : std::uint8_t {
    incomplete,  ///< may become a request's head
    request,
    other,  ///< something that is not HTTP
  };
  State state = State::incomplete;
  std::string_view target;  ///< with a slash in front; empty where it is something else
  std::string_view host;    ///< empty where there is none that could be shown
};

/// What the bytes, the first of a connection, are. The views are parts of `bytes`.
PlainRequest read_plain_request(std::string_view bytes);

/// 400 with the URL that would have been right, or, where the port does not serve HTTP, without.
std::string plain_request_refusal(const PlainRequest& request, bool serves_http);

}  // namespace flylocal::proxy::tls
