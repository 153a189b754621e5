#include "proxy/tls/plain_request.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flylocal::proxy::tls {
namespace {

constexpr std::size_t kMaxMethod = 16;
constexpr std::size_t kMaxShown = 1024;

bool is_shown_in_host(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(".-_:[]").find(c) != std::string_view::npos;
}

bool starts_with_host(std::string_view line) {
  constexpr std::string_view kHost = "host:";
  return line.size() >= kHost.size() && std::equal(kHost.begin(), kHost.end(), line.begin(), [](char wanted, char c) {
           return wanted == (c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
         });
}

std::string_view host_of(std::string_view head) {
  for (std::size_t end = head.find('\n'); end != std::string_view::npos; end = head.find('\n')) {
    head.remove_prefix(end + 1);
    std::string_view line = head.substr(0, head.find_first_of("\r\n"));
    if (!starts_with_host(line)) continue;
    line.remove_prefix(line.find(':') + 1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    return line.size() <= kMaxShown && std::all_of(line.begin(), line.end(), is_shown_in_host) ? line : std::string_view();
  }
  return {};
}

}  // namespace

PlainRequest read_plain_request(std::string_view bytes) {
  PlainRequest request;
  const auto method_end = std::find_if(bytes.begin(), bytes.end(), [](char c) { return c < 'A' || c > 'Z'; });
  const auto method_size = static_cast<std::size_t>(method_end - bytes.begin());
  if (method_size > kMaxMethod || (method_end != bytes.end() && (*method_end != ' ' || method_size == 0))) {
    request.state = PlainRequest::State::other;
    return request;
  }
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return request;
  request.state = PlainRequest::State::request;
  const std::string_view target = bytes.substr(method_size + 1, bytes.find_first_of(" \r\n", method_size + 1) - method_size - 1);
  const bool shown = target.size() <= kMaxShown && target.starts_with('/') &&
                     std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (shown) request.target = target;
  request.host = host_of(bytes.substr(0, end + 2));
  return request;
}

std::string plain_request_refusal(const PlainRequest& request, bool serves_http) {
  std::string text = "This port speaks TLS, and the request came in plain HTTP.";
  if (serves_http && !request.host.empty())
    text += fmt::format(" Ask for https://{}{}", request.host, request.target.empty() ? "/" : request.target);
  text += '\n';
  return fmt::format(
      "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
      text.size(), text);
}

}  // namespace flylocal::proxy::tls
