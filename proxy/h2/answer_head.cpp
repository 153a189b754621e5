#include "proxy/h2/answer_head.hpp"

#include <charconv>
#include <cstring>

#include "proxy/h2/connection.hpp"
#include "proxy/http1/head.hpp"

namespace flylocal::proxy::h2 {
namespace {

constexpr std::string_view kVersion = "HTTP/1.1 ";
constexpr std::size_t kStatusSize = 3;
constexpr std::string_view kColon = ": ";
constexpr std::string_view kLineEnd = "\r\n";

/// Where `c` is in `text`; its size: nowhere.
std::size_t find(std::string_view text, char c) {
  const void* const found = std::memchr(text.data(), c, text.size());
  return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : text.size();
}

template <class Number>
bool read_number(std::string_view digits, Number& number) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc{} && end == digits.data() + digits.size();
}

}  // namespace

bool AnswerHead::read(std::string_view head) {
  fields.clear();
  content_length.reset();
  chunked = connection_close = false;
  if (head.size() < kVersion.size() + kStatusSize) return false;
  std::string_view digits = head.substr(kVersion.size(), kStatusSize);
  if (!read_number(digits, status)) return false;
  // RFC 8441 5: 200 takes the place of 101.
  fields.push_back(field(":status", status == 101 ? std::string_view("200") : digits));
  head.remove_prefix(find(head, '\r'));
  while (head.size() > 2 * kLineEnd.size()) {
    head.remove_prefix(kLineEnd.size());
    const std::size_t colon = find(head, ':');
    if (colon + kColon.size() > head.size()) return false;
    const std::string_view name = head.substr(0, colon);
    head.remove_prefix(colon + kColon.size());
    const std::size_t end = find(head, '\r');
    if (!take(name, head.substr(0, end))) return false;
    head.remove_prefix(end);
  }
  return head == "\r\n\r\n";
}

/// False: a number that is none.
bool AnswerHead::take(std::string_view name, std::string_view value) {
  using http1::equals_ignoring_case;
  // RFC 9113 8.2.2: HTTP/2 says these in other ways. Each length belongs to few names.
  switch (name.size()) {
    case 7:
      if (equals_ignoring_case(name, "upgrade")) return true;
      break;
    case 10:
      if (equals_ignoring_case(name, "keep-alive")) return true;
      if (!equals_ignoring_case(name, "connection")) break;
      connection_close |= http1::list_contains(value, "close");
      return true;
    case 14:
      // It is never the same twice: no place for it in the table.
      if (equals_ignoring_case(name, "fly-request-id")) {
        fields.push_back(field(name, value, false));
        return true;
      }
      if (equals_ignoring_case(name, "content-length") && !read_number(value, content_length.emplace())) return false;
      break;
    case 16:
      if (equals_ignoring_case(name, "proxy-connection")) return true;
      break;
    case 17:
      if (!equals_ignoring_case(name, "transfer-encoding")) break;
      chunked = true;
      return true;
    case 20:
      // RFC 8441 5.1
      if (equals_ignoring_case(name, "sec-websocket-accept")) return true;
      break;
    default:
      break;
  }
  fields.push_back(field(name, value));
  return true;
}

}  // namespace flylocal::proxy::h2
