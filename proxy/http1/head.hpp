#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// HTTP/1.1 message heads (RFC 9112). The parser is strict: whatever two implementations might read in two
/// ways is refused, never repaired and passed on. All views point into the bytes that were parsed.
namespace flylocal::proxy::http1 {

/// Fields that mean something to a proxy.
enum class FieldId : std::uint8_t {
  other,
  accept,
  connection,
  content_length,
  expect,
  flylocal_edge_region,  ///< at which region's edge the request is to be taken to have come in
  fly_trusted,  ///< a Fly-* field that only Fly Proxy may set
  fly_request_id,
  host,
  keep_alive,
  proxy_connection,
  server,
  te,
  transfer_encoding,
  upgrade,
  via,
  x_forwarded_for,
  x_forwarded_port,
  x_forwarded_proto,
  x_forwarded_ssl,
  x_request_start,
};

struct Field {
  std::string_view name;
  std::string_view value;  ///< without the white space around it
  FieldId id = FieldId::other;
  bool named_by_connection = false;  ///< hop-by-hop because Connection lists it (RFC 9110 7.6.1)
};

enum class Version : std::uint8_t { http10, http11 };

/// What the fields of a request and of a response have in common.
struct Fields {
  std::vector<Field> list;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool connection_close = false;
  bool connection_keep_alive = false;
  bool connection_upgrade = false;
  std::string_view upgrade;

  /// The value of the first field with this id, or nothing.
  std::string_view value(FieldId id) const;
};

struct RequestHead {
  std::string_view method;
  std::string_view target;  ///< in origin form ("/path?query") or "*"; absolute form has been taken apart
  std::string_view host;    ///< of the Host field, or of a target in absolute form, which wins
  Version version = Version::http11;
  Fields fields;

  bool keep_alive() const;
  /// Asks for another protocol on this connection (RFC 9110 7.8).
  bool wants_upgrade() const;
  bool has_body() const { return fields.chunked || fields.content_length.value_or(0) > 0; }
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string_view reason;
  Version version = Version::http11;
  Fields fields;

  bool keep_alive() const;
};

/// Why a head was refused. All text is static.
struct HeadError {
  std::uint16_t status;        ///< the answer's status when the head is a request's
  std::string_view what;       ///< what was found and what is allowed
  std::string_view reference;  ///< RFC section
};

/// No message may have more.
inline constexpr std::size_t kMaxFields = 256;

/// Where a head ends.
struct HeadEnd {
  std::size_t size = 0;  ///< of the head with its empty line; 0: not all there yet
  std::optional<HeadError> error;
};

/// Looks for the end of the head that `bytes` begins with. The first `searched` bytes were looked at before.
/// A line feed without carriage return is an error at once, so that no client waits for an end that cannot
/// come.
HeadEnd find_head_end(std::string_view bytes, std::size_t searched);

/// How many of the first bytes are empty lines, which may stand before a request (RFC 9112 2.2).
std::size_t leading_empty_lines(std::string_view bytes);

/// Parse a whole head, as find_head_end() measured it. The head's vector keeps its memory between calls.
std::optional<HeadError> parse_request_head(std::string_view bytes, RequestHead& head);
std::optional<HeadError> parse_response_head(std::string_view bytes, ResponseHead& head);

/// One field line without its line end, as in trailers.
std::optional<HeadError> parse_field_line(std::string_view line, Field& field);

/// Compares as HTTP does field names: without regard to ASCII case. `lower` is in lower case.
bool equals_ignoring_case(std::string_view text, std::string_view lower);

/// Whether a comma-separated list has this member, without regard to case.
bool list_contains(std::string_view list, std::string_view lower_member);

}  // namespace flylocal::proxy::http1
