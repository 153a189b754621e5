#include "proxy/forwarded_headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace flylocal::proxy {
namespace {

using http1::Field;
using http1::FieldId;

template <std::size_t kSize>
constexpr std::size_t size_of(const char (&)[kSize]) {
  return kSize - 1;
}
std::size_t size_of(std::string_view text) { return text.size(); }

template <std::size_t kSize>
char* put(char* out, const char (&text)[kSize]) {
  return std::copy_n(text, kSize - 1, out);
}
char* put(char* out, std::string_view text) { return std::copy_n(text.data(), text.size(), out); }

/// Appends all pieces, which are literals and views, in one go: heads consist of many short ones.
template <class... Pieces>
void append(std::string& out, const Pieces&... pieces) {
  const std::size_t before = out.size();
  out.resize(before + (size_of(pieces) + ...));
  char* end = out.data() + before;
  ((end = put(end, pieces)), ...);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append(out, name, ": ", value, "\r\n");
}

/// A number in digits.
class Decimal {
 public:
  explicit Decimal(std::uint64_t number) : end_(std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr) {}
  operator std::string_view() const { return {digits_.data(), static_cast<std::size_t>(end_ - digits_.data())}; }

 private:
  std::array<char, 20> digits_;
  const char* end_;
};

/// All 64 bits in hexadecimal digits.
class Hex {
 public:
  explicit Hex(std::uint64_t number) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t i = digits_.size(); i-- > 0; number >>= 4) digits_[i] = kDigits[number & 15];
  }
  operator std::string_view() const { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, 16> digits_;
};

/// The members that earlier hops put into a list field, each followed by ", ".
void append_earlier_members(std::string& out, const http1::Fields& fields, FieldId id) {
  for (const Field& field : fields.list) {
    if (field.id == id && !field.value.empty()) append(out, field.value, ", ");
  }
}

bool has(const http1::Fields& fields, FieldId id) {
  for (const Field& field : fields.list) {
    if (field.id == id && !field.named_by_connection) return true;
  }
  return false;
}

bool passes_to_machine(const Field& field) {
  if (field.named_by_connection) return false;
  switch (field.id) {
    // RFC 9110 7.6.1: for one hop only. Host, length and upgrade are written anew where they apply.
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::host:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
    // Said to flylocal, not to the app.
    case FieldId::flylocal_edge_region:
    // Said by the proxy alone, or gone on with in its own place.
    case FieldId::fly_request_id:
    case FieldId::fly_trusted:
    case FieldId::via:
    case FieldId::x_forwarded_for:
    case FieldId::x_request_start:
      return false;
    default:
      return true;
  }
}

/// The value of `via` for one hop (RFC 9110 7.6.3).
std::string_view hop(bool http2) { return http2 ? "2 fly.io" : "1.1 fly.io"; }

/// A rule for the field of this name; `name` in any case.
const ResponseHeaderRule* rule_for(const AnswerFacts& facts, std::string_view name) {
  if (!facts.options || facts.options->response_headers.empty()) return nullptr;
  const auto& rules = facts.options->response_headers;
  auto found = std::find_if(rules.begin(), rules.end(),
                            [name](const auto& rule) { return http1::equals_ignoring_case(name, rule.name); });
  return found == rules.end() ? nullptr : &*found;
}

/// What frames the answer, or belongs to one hop, is not up to the app's configuration.
bool may_be_ruled(std::string_view lower_name) {
  for (std::string_view never : {"connection", "content-length", "keep-alive", "proxy-connection", "te",
                                 "transfer-encoding", "upgrade"}) {
    if (lower_name == never) return false;
  }
  return true;
}

void append_ruled_fields(std::string& out, const AnswerFacts& facts) {
  if (!facts.options) return;
  for (const ResponseHeaderRule& rule : facts.options->response_headers) {
    if (!may_be_ruled(rule.name) || (!facts.coding.empty() && rule.name == "content-encoding")) continue;
    for (const std::string& value : rule.values) append_field(out, rule.name, value);
  }
}

bool passes_to_client(const Field& field, bool pristine) {
  if (field.named_by_connection) return false;
  switch (field.id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return false;
    case FieldId::fly_request_id:
    case FieldId::server:
    case FieldId::via:
      return pristine;
    default:
      return true;
  }
}

/// A field of an answer that the proxy compresses. The tag of the plain bytes is good for a weak comparison only (RFC
/// 9110 8.8.1), and parts of the compressed ones cannot be asked for.
void append_field_of_compressed(std::string& out, const Field& field) {
  if (http1::equals_ignoring_case(field.name, "accept-ranges")) return;
  const bool is_strong = http1::equals_ignoring_case(field.name, "etag") && field.value.starts_with('"');
  append(out, field.name, std::string_view(is_strong ? ": W/" : ": "), field.value, "\r\n");
}

bool says_that_it_varies(const http1::ResponseHead& head) {
  return std::any_of(head.fields.list.begin(), head.fields.list.end(), [](const Field& field) {
    return field.id == FieldId::other && http1::equals_ignoring_case(field.name, "vary") &&
           (http1::list_contains(field.value, "accept-encoding") || http1::list_contains(field.value, "*"));
  });
}

void append_received_fields(std::string& out, const http1::RequestHead& head) {
  for (const Field& field : head.fields.list) {
    if (passes_to_machine(field)) append_field(out, field.name, field.value);
  }
}

void append_request_framing(std::string& out, const http1::RequestHead& head) {
  if (head.fields.chunked) {
    append(out, "Transfer-Encoding: chunked\r\n");
  } else if (head.fields.content_length) {
    append(out, "Content-Length: ", Decimal(*head.fields.content_length), "\r\n");
  }
  if (head.wants_upgrade()) append(out, "Connection: Upgrade\r\nUpgrade: ", head.fields.upgrade, "\r\n");
}

}  // namespace

void append_request_head(std::string& out, const http1::RequestHead& head, const ClientFacts& client,
                         const RequestFacts& request) {
  const std::string_view proto = client.secure ? "https" : "http";
  const std::string_view ssl = client.secure ? "on" : "off";
  const Decimal port(client.external_port);
  const auto since_epoch = std::chrono::duration_cast<std::chrono::microseconds>(request.arrived.time_since_epoch());
  append(out, head.method, " ", head.target, " HTTP/1.1\r\nHost: ", head.host, "\r\n");
  append_received_fields(out, head);
  append_request_framing(out, head);

  append(out, "Fly-Client-IP: ", client.client_ip, "\r\nX-Forwarded-For: ");
  append_earlier_members(out, head.fields, FieldId::x_forwarded_for);
  // The X- twins of some fields are not trusted by anyone: a value that an earlier proxy gave stays.
  const auto twin = [&head](FieldId id) {
    const bool is_there = has(head.fields, id);
    return [is_there](std::string_view piece) { return is_there ? std::string_view() : piece; };
  };
  const auto proto_twin = twin(FieldId::x_forwarded_proto), ssl_twin = twin(FieldId::x_forwarded_ssl),
             port_twin = twin(FieldId::x_forwarded_port);
  append(out, client.client_ip, ", ", client.dialled_ip,  //
         "\r\nFly-Forwarded-Proto: ", proto, proto_twin("\r\nX-Forwarded-Proto: "), proto_twin(proto),  //
         "\r\nFly-Forwarded-Ssl: ", ssl, ssl_twin("\r\nX-Forwarded-Ssl: "), ssl_twin(ssl),  //
         "\r\nFly-Forwarded-Port: ", port, port_twin("\r\nX-Forwarded-Port: "), port_twin(port),  //
         "\r\nFly-Region: ", client.edge_region, "\r\nFly-Request-Id: ", request.request_id, "\r\nVia: ");
  append_earlier_members(out, head.fields, FieldId::via);
  append(out, head.version == http1::Version::http10 ? std::string_view("1.0 fly.io") : hop(client.http2), "\r\nFly-Traceparent: 00-",
         Hex(request.trace_id[0]), Hex(request.trace_id[1]), "-", Hex(request.span_id),
         "-00\r\nFly-Tracestate:\r\nX-Request-Start: t=", Decimal(static_cast<std::uint64_t>(since_epoch.count())), "\r\n\r\n");
}

void append_proxy_fields(std::string& out, const AnswerFacts& facts) {
  append(out, "server: ", facts.server, "\r\nvia: ", hop(facts.http2), "\r\nfly-request-id: ", facts.request_id, "\r\n");
}

void append_response_head(std::string& out, const http1::ResponseHead& head, AnswerFraming framing,
                          ConnectionNote connection, const AnswerFacts& facts) {
  append(out, "HTTP/1.1 ", Decimal(head.status), " ", head.reason, "\r\n");
  // An interim answer is not the app's answer: the proxy's fields come once, on the final one.
  const bool is_final = head.status >= 200 || head.status == 101;
  const bool pristine = facts.options && facts.options->pristine;
  const bool ruled = is_final && facts.options && !facts.options->response_headers.empty();
  for (const Field& field : head.fields.list) {
    if (!passes_to_client(field, pristine) || (ruled && rule_for(facts, field.name))) continue;
    if (facts.coding.empty()) {
      append_field(out, field.name, field.value);
    } else {
      append_field_of_compressed(out, field);
    }
  }
  if (!facts.coding.empty()) append_field(out, "content-encoding", facts.coding);
  if (facts.varies && !says_that_it_varies(head)) append_field(out, "vary", "Accept-Encoding");
  if (framing == AnswerFraming::content_length && head.fields.content_length) {
    append(out, "content-length: ", Decimal(*head.fields.content_length), "\r\n");
  } else if (framing == AnswerFraming::chunked) {
    out += "transfer-encoding: chunked\r\n";
  }
  switch (connection) {
    case ConnectionNote::none:
      break;
    case ConnectionNote::keep_alive:
      out += "connection: keep-alive\r\n";
      break;
    case ConnectionNote::close:
      out += "connection: close\r\n";
      break;
    case ConnectionNote::upgrade:
      append(out, "connection: Upgrade\r\nupgrade: ", head.fields.upgrade, "\r\n");
      break;
  }
  if (is_final && !pristine) {
    if (!ruled || !rule_for(facts, "server")) append_field(out, "server", facts.server);
    if (!ruled || !rule_for(facts, "via")) {
      out += "via: ";
      append_earlier_members(out, head.fields, FieldId::via);
      append(out, hop(facts.http2), "\r\n");
    }
    if (!ruled || !rule_for(facts, "fly-request-id")) append_field(out, "fly-request-id", facts.request_id);
  }
  if (ruled) append_ruled_fields(out, facts);
  out += "\r\n";
}

}  // namespace flylocal::proxy
