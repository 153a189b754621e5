#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/h2/head_text.hpp"
#include "proxy/http1/head.hpp"

using namespace flylocal::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const std::uint8_t* octets(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

/// Only what nghttp2 lets pass can come.
bool can_come(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) {
    if (name == ":method") return nghttp2_check_method(octets(value), value.size());
    if (name == ":path") return nghttp2_check_path(octets(value), value.size());
    if (name == ":authority") return nghttp2_check_authority(octets(value), value.size());
    return name == ":protocol" && nghttp2_check_header_value(octets(value), value.size());
  }
  if (name == "transfer-encoding" || name == "connection" || name == "upgrade") return false;
  return nghttp2_check_header_name(octets(name), name.size()) && nghttp2_check_header_value(octets(value), value.size());
}

}  // namespace

/// A request's fields, "name=value" a line, become one head of HTTP/1.1, which is refused or means the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  h2::HeadText text;
  std::string method;
  std::string path;
  bool extended = false;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    std::size_t split = line.find('=');
    if (split == std::string_view::npos) continue;
    std::string_view name = line.substr(0, split);
    std::string_view value = line.substr(split + 1);
    if (!can_come(name, value)) continue;
    text.add(name, value);
    if (name == ":method") method = value;
    if (name == ":path") path = value;
  }
  if (text.is_too_large() || method.empty() || path.empty()) return 0;
  extended = text.is_extended_connect();
  for (bool ends : {true, false}) {
    std::string out;
    RandomBits random(1);
    h2::Framing framing = h2::Framing::none;
    if (!text.append_request(out, ends, random, framing)) {
      require(out.empty());
      continue;
    }
    http1::HeadEnd end = http1::find_head_end(out, 0);
    require(!end.error && end.size == out.size());
    http1::RequestHead head;
    if (http1::parse_request_head(out, head)) continue;
    require(head.method == (extended ? std::string_view("GET") : std::string_view(method)));
    require(!path.starts_with('/') || head.target == path);
    require(head.wants_upgrade() == extended);
    require(head.fields.chunked == (framing == h2::Framing::chunked));
  }
  return 0;
}
