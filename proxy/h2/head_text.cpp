#include "proxy/h2/head_text.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>

namespace flylocal::proxy::h2 {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2

void append(std::string& out, std::initializer_list<std::string_view> pieces) {
  for (std::string_view piece : pieces) out.append(piece);
}

/// Sec-WebSocket-Key: HTTP/2 has none, as its streams cannot be mistaken for each other (RFC 8441 5.1).
void append_websocket_key(std::string& out, RandomBits& random) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::uint64_t high = random();
  std::uint64_t low = random();
  // 16 bytes are 21 digits of six bits and one of two, filled up with zeros.
  for (int i = 0; i < 10; ++i) out += kDigits[(high >> (6 * i)) & 63];
  for (int i = 0; i < 10; ++i) out += kDigits[(low >> (6 * i)) & 63];
  out += kDigits[(high >> 60 | (low >> 60) << 4) & 63];
  out += kDigits[(low >> 58) & 48];
  out += "==";
}

bool has_blank_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    auto octet = static_cast<unsigned char>(c);
    return octet <= 0x20 || octet == 0x7f;
  });
}

/// RFC 9110 8.6: a request of these says that it has no content.
bool expects_content(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

void HeadText::clear() {
  for (std::string* text : {&method_, &path_, &authority_, &protocol_, &host_, &cookies_, &fields_}) text->clear();
  list_size_ = 0;
  status_ = 0;
  has_length_ = too_large_ = false;
}

void HeadText::add(std::string_view name, std::string_view value) {
  list_size_ += name.size() + value.size() + kFieldOverhead;
  if (list_size_ > kMaxHeaderList) {
    too_large_ = true;
    return;
  }
  if (name.starts_with(':')) {
    if (name == ":method") method_ = value;
    if (name == ":path") path_ = value;
    if (name == ":authority") authority_ = value;
    if (name == ":protocol") protocol_ = value;
    if (name == ":status") std::from_chars(value.data(), value.data() + value.size(), status_);
  } else if (name == "cookie") {
    // RFC 9113 8.2.3: cut into crumbs for the sake of compression.
    append(cookies_, {cookies_.empty() ? "" : "; ", value});
  } else if (name == "host") {
    host_ = value;
  } else {
    has_length_ |= name == "content-length";
    append(fields_, {name, ": ", value, "\r\n"});
  }
}

/// nghttp2 has checked names and values; nothing here could be taken for two parts of a request line all the same.
bool HeadText::is_plain() const {
  return !has_blank_or_control(method_) && !has_blank_or_control(path_) && !has_blank_or_control(authority_);
}

bool HeadText::append_request(std::string& out, bool ends, RandomBits& random, Framing& framing) const {
  if (!is_plain()) return false;
  bool upgrade = is_extended_connect();
  // Another protocol than the one that HTTP/1.1 has an upgrade for.
  if (upgrade && protocol_ != "websocket") return false;
  std::string_view target = path_.empty() ? std::string_view(authority_) : std::string_view(path_);
  append(out, {upgrade ? std::string_view("GET") : std::string_view(method_), " ", target, " HTTP/1.1\r\n"});
  if (!authority_.empty()) append(out, {"Host: ", authority_, "\r\n"});
  // RFC 9113 8.3.1: both may be there, but only with the same meaning; two Host fields are refused by the parser.
  if (!host_.empty() && host_ != authority_) append(out, {"Host: ", host_, "\r\n"});
  out += fields_;
  if (!cookies_.empty()) append(out, {"cookie: ", cookies_, "\r\n"});
  if (upgrade) {
    append(out, {"Connection: Upgrade\r\nUpgrade: ", protocol_, "\r\nSec-WebSocket-Key: "});
    append_websocket_key(out, random);
    out += "\r\n";
    framing = Framing::raw;
  } else if (method_ == "CONNECT") {
    framing = Framing::raw;
  } else if (has_length_) {
    framing = Framing::length;
  } else if (!ends) {
    out += "Transfer-Encoding: chunked\r\n";
    framing = Framing::chunked;
  } else {
    if (expects_content(method_)) out += "Content-Length: 0\r\n";
    framing = Framing::none;
  }
  out += "\r\n";
  return true;
}

void HeadText::append_response(std::string& out, bool ends, bool bodiless, Framing& framing) const {
  char digits[8];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, status_);
  append(out, {"HTTP/1.1 ", std::string_view(digits, static_cast<std::size_t>(end - digits)), " \r\n"});
  out += fields_;
  framing = Framing::none;
  if (!bodiless) {
    if (has_length_) {
      framing = Framing::length;
    } else if (ends) {
      out += "Content-Length: 0\r\n";
    } else {
      out += "Transfer-Encoding: chunked\r\n";
      framing = Framing::chunked;
    }
  }
  out += "\r\n";
}

void HeadText::append_upgrade(std::string& out, std::string_view accept) const {
  append(out, {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ",
               accept, "\r\n", fields_, "\r\n"});
}

void HeadText::append_trailers(std::string& out) const {
  append(out, {"0\r\n", fields_, "\r\n"});
}

}  // namespace flylocal::proxy::h2
