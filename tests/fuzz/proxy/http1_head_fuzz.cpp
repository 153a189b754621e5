#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/forwarded_headers.hpp"

using namespace flylocal::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// What was accepted is passed on in a form that is accepted again and means the same.
void check_request(const http1::RequestHead& head) {
  require(!(head.fields.chunked && head.fields.content_length));
  std::string out;
  append_request_head(
      out, head,
      {.client_ip = "192.0.2.1",
       .dialled_ip = "192.0.2.2",
       .external_port = 80,
       .edge_region = "ams",
       .secure = head.fields.list.size() % 2 == 1,
       .http2 = head.fields.list.size() % 3 == 1},
      {.request_id = "id", .arrived = {}, .trace_id = {1, 2}, .span_id = 3});
  http1::HeadEnd end = http1::find_head_end(out, 0);
  require(!end.error && end.size == out.size());
  http1::RequestHead again;
  // The proxy's own fields may be too many for a head that was full.
  if (head.fields.list.size() + 32 > http1::kMaxFields) return;
  require(!http1::parse_request_head(out, again));
  require(again.method == head.method && again.target == head.target && again.host == head.host);
  require(again.fields.chunked == head.fields.chunked &&
          again.fields.content_length == head.fields.content_length);
  require(again.wants_upgrade() == head.wants_upgrade());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  http1::HeadEnd end = http1::find_head_end(bytes, 0);
  require(end.size <= size);
  // The end must be the same when the bytes come in two portions.
  if (size > 1 && !end.error) {
    http1::HeadEnd first = http1::find_head_end(bytes.substr(0, size / 2), 0);
    if (first.size == 0 && !first.error) require(http1::find_head_end(bytes, size / 2).size == end.size);
  }
  if (end.error || end.size == 0) return 0;
  http1::RequestHead request;
  if (!http1::parse_request_head(bytes.substr(0, end.size), request)) check_request(request);
  http1::ResponseHead response;
  if (!http1::parse_response_head(bytes.substr(0, end.size), response)) {
    HttpOptions options;
    options.pristine = size % 2 == 1;
    options.response_headers = {{"x-one", {}}, {"x-two", {"a", "b"}}, {"content-length", {"9"}}};
    const bool compressed = size % 3 == 1;
    std::string out;
    append_response_head(out, response, compressed ? AnswerFraming::chunked : AnswerFraming::content_length, ConnectionNote::none,
                         {.server = "server",
                          .request_id = "id",
                          .http2 = size % 5 == 1,
                          .options = &options,
                          .coding = compressed ? "br" : "",
                          .varies = compressed});
    require(http1::find_head_end(out, 0).size == out.size());
    if (response.fields.list.size() + 32 > http1::kMaxFields) return 0;
    http1::ResponseHead again;
    require(!http1::parse_response_head(out, again));
    require(again.status == response.status && again.fields.chunked == compressed);
    if (!compressed) require(again.fields.content_length == response.fields.content_length);
  }
  return 0;
}
