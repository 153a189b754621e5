#include "proxy/forwarded_headers.hpp"

#include <charconv>
#include <initializer_list>

namespace flylocal::proxy {
namespace {

using http1::Field;
using http1::FieldId;

void append(std::string& out, std::initializer_list<std::string_view> pieces) {
  std::size_t size = out.size();
  for (std::string_view piece : pieces) size += piece.size();
  if (size > out.capacity()) out.reserve(size * 2);
  for (std::string_view piece : pieces) out.append(piece);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append(out, {name, ": ", value, "\r\n"});
}

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}

void append_hex(std::string& out, std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  char digits[16];
  for (int i = 15; i >= 0; --i, number >>= 4) digits[i] = kDigits[number & 15];
  out.append(digits, sizeof digits);
}

/// The members that earlier hops put into a list field, each followed by ", ".
void append_earlier_members(std::string& out, const http1::Fields& fields, FieldId id) {
  for (const Field& field : fields.list) {
    if (field.id == id && !field.value.empty()) append(out, {field.value, ", "});
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

bool passes_to_client(const Field& field) {
  if (field.named_by_connection) return false;
  switch (field.id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
    case FieldId::fly_request_id:
    case FieldId::server:
    case FieldId::via:
      return false;
    default:
      return true;
  }
}

void append_received_fields(std::string& out, const http1::RequestHead& head) {
  for (const Field& field : head.fields.list) {
    if (passes_to_machine(field)) append_field(out, field.name, field.value);
  }
}

void append_request_framing(std::string& out, const http1::RequestHead& head) {
  if (head.fields.chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (head.fields.content_length) {
    out += "Content-Length: ";
    append_number(out, *head.fields.content_length);
    out += "\r\n";
  }
  if (head.wants_upgrade()) append(out, {"Connection: Upgrade\r\nUpgrade: ", head.fields.upgrade, "\r\n"});
}

}  // namespace

void append_request_head(std::string& out, const http1::RequestHead& head, const ClientFacts& client,
                         const RequestFacts& request) {
  append(out, {head.method, " ", head.target, " HTTP/1.1\r\nHost: ", head.host, "\r\n"});
  append_received_fields(out, head);
  append_request_framing(out, head);

  append(out, {"Fly-Client-IP: ", client.client_ip, "\r\nX-Forwarded-For: "});
  append_earlier_members(out, head.fields, FieldId::x_forwarded_for);
  append(out, {client.client_ip, ", ", client.dialled_ip, "\r\nFly-Forwarded-Proto: http\r\n"});
  // The X- twins of these are not trusted by anyone: a value that an earlier proxy gave stays.
  if (!has(head.fields, FieldId::x_forwarded_proto)) out += "X-Forwarded-Proto: http\r\n";
  out += "Fly-Forwarded-Ssl: off\r\n";
  if (!has(head.fields, FieldId::x_forwarded_ssl)) out += "X-Forwarded-Ssl: off\r\n";
  out += "Fly-Forwarded-Port: ";
  append_number(out, client.external_port);
  if (!has(head.fields, FieldId::x_forwarded_port)) {
    out += "\r\nX-Forwarded-Port: ";
    append_number(out, client.external_port);
  }
  append(out,
         {"\r\nFly-Region: ", client.edge_region, "\r\nFly-Request-Id: ", request.request_id, "\r\nVia: "});
  append_earlier_members(out, head.fields, FieldId::via);
  append(out, {head.version == http1::Version::http11 ? "1.1" : "1.0", " fly.io\r\nFly-Traceparent: 00-"});
  append_hex(out, request.trace_id[0]);
  append_hex(out, request.trace_id[1]);
  out += '-';
  append_hex(out, request.span_id);
  out += "-00\r\nFly-Tracestate:\r\nX-Request-Start: t=";
  auto since_epoch =
      std::chrono::duration_cast<std::chrono::microseconds>(request.arrived.time_since_epoch());
  append_number(out, static_cast<std::uint64_t>(since_epoch.count()));
  out += "\r\n\r\n";
}

void append_proxy_fields(std::string& out, std::string_view server, std::string_view request_id) {
  append(out, {"server: ", server, "\r\nvia: 1.1 fly.io\r\nfly-request-id: ", request_id, "\r\n"});
}

void append_response_head(std::string& out, const http1::ResponseHead& head, AnswerFraming framing,
                          ConnectionNote connection, std::string_view server, std::string_view request_id) {
  out += "HTTP/1.1 ";
  append_number(out, head.status);
  append(out, {" ", head.reason, "\r\n"});
  for (const Field& field : head.fields.list) {
    if (passes_to_client(field)) append_field(out, field.name, field.value);
  }
  if (framing == AnswerFraming::content_length && head.fields.content_length) {
    out += "content-length: ";
    append_number(out, *head.fields.content_length);
    out += "\r\n";
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
      append(out, {"connection: Upgrade\r\nupgrade: ", head.fields.upgrade, "\r\n"});
      break;
  }
  // An interim answer is not the app's answer: the proxy's fields come once, on the final one.
  if (head.status >= 200 || head.status == 101) {
    append(out, {"server: ", server, "\r\nvia: "});
    append_earlier_members(out, head.fields, FieldId::via);
    append(out, {"1.1 fly.io\r\nfly-request-id: ", request_id, "\r\n"});
  }
  out += "\r\n";
}

}  // namespace flylocal::proxy
