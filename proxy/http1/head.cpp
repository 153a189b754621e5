#include "proxy/http1/head.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace flylocal::proxy::http1 {
namespace {

using Octet = unsigned char;
using OctetSet = std::array<bool, 256>;

constexpr OctetSet make_set(std::string_view members) {
  OctetSet set{};
  for (char c = '0'; c <= '9'; ++c) set[static_cast<Octet>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) set[static_cast<Octet>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) set[static_cast<Octet>(c)] = true;
  for (char c : members) set[static_cast<Octet>(c)] = true;
  return set;
}

// RFC 9110 5.6.2
constexpr OctetSet kToken = make_set("!#$%&'*+-.^_`|~");
// RFC 3986 3.2.2 and 3.2.3: name, IPv4, bracketed IPv6, port. User information is not allowed (RFC
// 9110 4.2.4).
constexpr OctetSet kAuthority = make_set("-._~%!$&'()*+,;=:[]");

bool all_in(const OctetSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(), [&set](char c) { return set[static_cast<Octet>(c)]; });
}

bool is_control(char c) {
  auto octet = static_cast<Octet>(c);
  return (octet < 0x20 && octet != '\t') || octet == 0x7f;
}

// One in each of eight octets.
constexpr std::uint64_t kOnes = 0x0101010101010101;

std::uint64_t eight_octets(const char* octets) {
  std::uint64_t word;
  std::memcpy(&word, octets, sizeof word);
  return word;
}

/// Whether one of eight octets may be a control character; a tab counts as one.
bool may_have_control(const char* octets) {
  constexpr std::uint64_t kHighs = 0x80 * kOnes;
  const std::uint64_t word = eight_octets(octets);
  const std::uint64_t deletes = word ^ (0x7f * kOnes);
  return ((((word - 0x20 * kOnes) & ~word) | ((deletes - kOnes) & ~deletes)) & kHighs) != 0;
}

/// RFC 9110 5.5: visible characters, space, tab and the octets above ASCII. Looks at eight octets at a time.
bool is_field_value(std::string_view text) {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  if (text.size() >= kStep) {
    bool clean = !may_have_control(text.data() + text.size() - kStep);
    for (std::size_t at = 0; clean && at + kStep <= text.size(); at += kStep) clean = !may_have_control(text.data() + at);
    if (clean) return true;
  }
  return std::none_of(text.begin(), text.end(), is_control);
}

/// A request's target may hold what servers commonly get, but no white space and no control characters.
bool is_target(std::string_view text) {
  bool bad = text.empty();
  for (char c : text) {
    auto octet = static_cast<Octet>(c);
    bad |= octet <= 0x20 || octet == 0x7f;
  }
  return !bad;
}

std::string_view trim(std::string_view text) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const char* begin = text.data();
  const char* end = begin + text.size();
  while (begin < end && blank(*begin)) ++begin;
  while (begin < end && blank(end[-1])) --end;
  return {begin, static_cast<std::size_t>(end - begin)};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

struct KnownField {
  std::string_view name;
  FieldId id;
};

constexpr KnownField kKnownFields[] = {
    {"accept", FieldId::accept},
    {"connection", FieldId::connection},
    {"content-length", FieldId::content_length},
    {"expect", FieldId::expect},
    {"fly-client-ip", FieldId::fly_trusted},
    {"fly-forwarded-port", FieldId::fly_trusted},
    {"fly-forwarded-proto", FieldId::fly_trusted},
    {"fly-forwarded-ssl", FieldId::fly_trusted},
    {"fly-preferred-instance-unavailable", FieldId::fly_trusted},
    {"fly-region", FieldId::fly_trusted},
    {"fly-replay-cache-status", FieldId::fly_trusted},
    {"fly-replay-failed", FieldId::fly_trusted},
    {"fly-replay-src", FieldId::fly_trusted},
    {"fly-request-id", FieldId::fly_request_id},
    {"fly-traceparent", FieldId::fly_trusted},
    {"fly-tracestate", FieldId::fly_trusted},
    {"flylocal-edge-region", FieldId::flylocal_edge_region},
    {"host", FieldId::host},
    {"keep-alive", FieldId::keep_alive},
    {"proxy-connection", FieldId::proxy_connection},
    {"server", FieldId::server},
    {"te", FieldId::te},
    {"transfer-encoding", FieldId::transfer_encoding},
    {"upgrade", FieldId::upgrade},
    {"via", FieldId::via},
    {"x-forwarded-for", FieldId::x_forwarded_for},
    {"x-forwarded-port", FieldId::x_forwarded_port},
    {"x-forwarded-proto", FieldId::x_forwarded_proto},
    {"x-forwarded-ssl", FieldId::x_forwarded_ssl},
    {"x-request-start", FieldId::x_request_start},
};

constexpr std::size_t kLongestKnownName = 34;

/// kKnownFields sorted by length, with the place where each length begins.
struct KnownFieldsByLength {
  std::array<KnownField, std::size(kKnownFields)> fields{};
  std::array<std::uint8_t, kLongestKnownName + 2> begin{};
};

constexpr KnownFieldsByLength sort_by_length() {
  KnownFieldsByLength sorted;
  std::size_t next = 0;
  for (std::size_t length = 0; length <= kLongestKnownName; ++length) {
    sorted.begin[length] = static_cast<std::uint8_t>(next);
    for (const KnownField& known : kKnownFields) {
      if (known.name.size() == length) sorted.fields[next++] = known;
    }
  }
  sorted.begin[kLongestKnownName + 1] = static_cast<std::uint8_t>(next);
  return sorted;
}

constexpr KnownFieldsByLength kByLength = sort_by_length();
static_assert(kByLength.begin[kLongestKnownName + 1] == std::size(kKnownFields));

// The bit that upper case letters lack.
constexpr char kCaseBit = 0x20;
static_assert(std::all_of(std::begin(kKnownFields), std::end(kKnownFields), [](const KnownField& known) {
  return std::all_of(known.name.begin(), known.name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}));

/// Compares a name of token characters with a known one of the same length, eight octets at a time. With the case bit
/// set an upper case letter is its lower case one, and no other token character becomes a letter or a hyphen.
bool is_same_name(std::string_view name, std::string_view known) {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  if (name.size() < kStep) {
    return std::equal(name.begin(), name.end(), known.begin(), [](char a, char b) { return (a | kCaseBit) == b; });
  }
  const auto is_same_at = [&](std::size_t at) {
    return (eight_octets(name.data() + at) | kCaseBit * kOnes) == eight_octets(known.data() + at);
  };
  for (std::size_t at = 0; at + kStep <= name.size(); at += kStep) {
    if (!is_same_at(at)) return false;
  }
  return is_same_at(name.size() - kStep);
}

FieldId identify(std::string_view name) {
  if (name.size() > kLongestKnownName) return FieldId::other;
  for (std::size_t i = kByLength.begin[name.size()]; i < kByLength.begin[name.size() + 1]; ++i) {
    if (is_same_name(name, kByLength.fields[i].name)) return kByLength.fields[i].id;
  }
  return FieldId::other;
}

constexpr HeadError kBareLineFeed{400, "a line ends with a line feed alone; lines end with CR LF",
                                  "RFC 9112 2.2"};
constexpr HeadError kRequestLine{400, "the request line is not \"METHOD TARGET HTTP/1.1\" with single spaces",
                                 "RFC 9112 3"};

template <class Visit>
void for_each_member(std::string_view list, Visit visit) {
  while (!list.empty()) {
    std::size_t comma = std::min(list.find(','), list.size());
    std::string_view member = trim(list.substr(0, comma));
    if (!member.empty()) visit(member);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

std::optional<HeadError> read_content_length(std::string_view value, Fields& fields) {
  std::uint64_t length = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc{} || end != value.data() + value.size()) {
    return HeadError{400, "Content-Length is not one decimal number", "RFC 9110 8.6"};
  }
  if (fields.content_length && *fields.content_length != length) {
    return HeadError{400, "there are two different Content-Length fields", "RFC 9112 6.3"};
  }
  fields.content_length = length;
  return {};
}

void read_connection(std::string_view value, Fields& fields) {
  for_each_member(value, [&fields](std::string_view option) {
    if (equals_ignoring_case(option, "close")) fields.connection_close = true;
    if (equals_ignoring_case(option, "keep-alive")) fields.connection_keep_alive = true;
    if (equals_ignoring_case(option, "upgrade")) fields.connection_upgrade = true;
  });
}

std::optional<HeadError> read_field(const Field& field, Fields& fields) {
  switch (field.id) {
    case FieldId::content_length:
      return read_content_length(field.value, fields);
    case FieldId::transfer_encoding:
      if (fields.chunked || !equals_ignoring_case(field.value, "chunked")) {
        return HeadError{501, "Transfer-Encoding is not exactly \"chunked\"", "RFC 9112 6.1"};
      }
      fields.chunked = true;
      return {};
    case FieldId::connection:
      read_connection(field.value, fields);
      return {};
    case FieldId::upgrade:
      if (fields.upgrade.empty()) fields.upgrade = field.value;
      return {};
    default:
      return {};
  }
}

/// Marks the fields that Connection lists. What frames or routes the message is not up to that list.
void mark_named_by_connection(Fields& fields) {
  for (std::size_t i = 0; i < fields.list.size(); ++i) {
    if (fields.list[i].id != FieldId::connection) continue;
    for (Field& field : fields.list) {
      if (field.id == FieldId::host || field.id == FieldId::content_length ||
          field.id == FieldId::transfer_encoding || field.named_by_connection) {
        continue;
      }
      for_each_member(fields.list[i].value, [&field](std::string_view option) {
        if (option.size() == field.name.size() &&
            std::equal(option.begin(), option.end(), field.name.begin(),
                       [](char a, char b) { return lower(a) == lower(b); })) {
          field.named_by_connection = true;
        }
      });
    }
  }
}

void reset(Fields& fields) {
  fields.list.clear();
  fields.content_length.reset();
  fields.chunked = fields.connection_close = fields.connection_keep_alive = fields.connection_upgrade = false;
  fields.upgrade = {};
}

/// Takes the first line off `bytes`. The line's end has been found to exist. False: it is a line feed alone.
bool take_line(std::string_view& bytes, std::string_view& line) {
  const auto* feed = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
  const auto size = static_cast<std::size_t>(feed - bytes.data());
  if (size == 0 || feed[-1] != '\r') return false;
  line = {bytes.data(), size - 1};
  bytes = {feed + 1, bytes.size() - size - 1};
  return true;
}

std::optional<HeadError> parse_fields(std::string_view bytes, Version version, Fields& fields) {
  for (;;) {
    std::string_view line;
    if (!take_line(bytes, line)) return kBareLineFeed;
    if (line.empty()) break;
    if (fields.list.size() == kMaxFields)
      return HeadError{431, "there are more than 256 fields", "RFC 6585 5"};
    Field& field = fields.list.emplace_back();
    if (auto error = parse_field_line(line, field)) return error;
    if (field.id == FieldId::other) continue;
    if (auto error = read_field(field, fields)) return error;
  }
  // RFC 9112 6.1: either could be a trace of an attempt to smuggle a request past one of two readers.
  if (fields.chunked && fields.content_length) {
    return HeadError{400, "there are both Transfer-Encoding and Content-Length", "RFC 9112 6.1"};
  }
  if (fields.chunked && version == Version::http10) {
    return HeadError{400, "there is a Transfer-Encoding in an HTTP/1.0 message", "RFC 9112 6.1"};
  }
  mark_named_by_connection(fields);
  return {};
}

std::optional<HeadError> read_host(RequestHead& head) {
  std::size_t hosts = 0;
  for (const Field& field : head.fields.list) {
    if (field.id != FieldId::host) continue;
    ++hosts;
    if (head.host.empty()) head.host = field.value;
    if (!all_in(kAuthority, field.value)) {
      return HeadError{400, "the Host field is not a host name with an optional port", "RFC 9112 3.2"};
    }
  }
  if (hosts > 1) return HeadError{400, "there is more than one Host field", "RFC 9112 3.2"};
  if (hosts == 0 && head.version == Version::http11) {
    return HeadError{400, "there is no Host field", "RFC 9112 3.2"};
  }
  return {};
}

/// RFC 9112 3.2: origin form stays, absolute form is taken apart, "*" is for OPTIONS.
std::optional<HeadError> read_target(RequestHead& head) {
  std::string_view target = head.target;
  if (target.starts_with('/')) return {};
  if (target == "*" && head.method == "OPTIONS") return {};
  if (head.method == "CONNECT") return HeadError{501, "CONNECT is not offered here", "RFC 9110 9.3.6"};
  constexpr std::string_view kScheme = "http://";
  if (target.size() > kScheme.size() && equals_ignoring_case(target.substr(0, kScheme.size()), kScheme)) {
    target.remove_prefix(kScheme.size());
    std::size_t path = std::min(target.find_first_of("/?"), target.size());
    head.host = target.substr(0, path);
    target.remove_prefix(path);
    // "http://host?query" has an empty path, which no view into the head can put a slash before.
    if (!head.host.empty() && all_in(kAuthority, head.host) && !target.starts_with('?')) {
      head.target = target.empty() ? std::string_view("/") : target;
      return {};
    }
  }
  return HeadError{400, "the request's target is neither a path nor an http:// address", "RFC 9112 3.2"};
}

std::optional<HeadError> parse_version(std::string_view text, Version& version) {
  if (text == "HTTP/1.1") {
    version = Version::http11;
    return {};
  }
  if (text == "HTTP/1.0") {
    version = Version::http10;
    return {};
  }
  bool other_version = text.size() == 8 && text.starts_with("HTTP/") && text[6] == '.' && text[5] >= '0' &&
                       text[5] <= '9' && text[7] >= '0' && text[7] <= '9';
  if (other_version) return HeadError{505, "the version is neither HTTP/1.1 nor HTTP/1.0", "RFC 9110 15.6.6"};
  return kRequestLine;
}

std::optional<HeadError> parse_request_line(std::string_view line, RequestHead& head) {
  std::size_t first = line.find(' ');
  std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return kRequestLine;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (head.method.empty() || !all_in(kToken, head.method) || !is_target(head.target)) return kRequestLine;
  return parse_version(line.substr(last + 1), head.version);
}

std::optional<HeadError> parse_status_line(std::string_view line, ResponseHead& head) {
  constexpr HeadError kStatusLine{502, "the status line is not \"HTTP/1.1 STATUS REASON\"", "RFC 9112 4"};
  // "HTTP/1.1 200 OK"; some servers leave out the last space together with the reason.
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return kStatusLine;
  if (parse_version(line.substr(0, 8), head.version)) return kStatusLine;
  auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, head.status);
  if (error != std::errc{} || end != line.data() + 12 || head.status < 100 || head.status > 599) {
    return kStatusLine;
  }
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view{};
  if (!is_field_value(head.reason)) return kStatusLine;
  return {};
}

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view lower_text) {
  return text.size() == lower_text.size() && std::equal(text.begin(), text.end(), lower_text.begin(),
                                                        [](char a, char b) { return lower(a) == b; });
}

bool list_contains(std::string_view list, std::string_view lower_member) {
  bool found = false;
  for_each_member(list,
                  [&](std::string_view member) { found |= equals_ignoring_case(member, lower_member); });
  return found;
}

std::string_view Fields::value(FieldId id) const {
  auto found = std::find_if(list.begin(), list.end(), [id](const Field& field) { return field.id == id; });
  return found == list.end() ? std::string_view{} : found->value;
}

// RFC 9112 9.3
bool RequestHead::keep_alive() const {
  if (fields.connection_close) return false;
  return version == Version::http11 || fields.connection_keep_alive;
}

bool RequestHead::wants_upgrade() const {
  return version == Version::http11 && fields.connection_upgrade && !fields.upgrade.empty();
}

bool ResponseHead::keep_alive() const {
  if (fields.connection_close) return false;
  return version == Version::http11 || fields.connection_keep_alive;
}

HeadEnd find_head_end(std::string_view bytes, std::size_t searched) {
  for (std::size_t feed = bytes.find('\n', searched); feed != std::string_view::npos; feed = bytes.find('\n', feed + 1)) {
    if (feed == 0 || bytes[feed - 1] != '\r') return {0, kBareLineFeed};
    // The line before has been found to end properly, so this one is empty.
    if (feed >= 3 && bytes[feed - 2] == '\n') return {feed + 1, {}};
  }
  return {};
}

std::size_t leading_empty_lines(std::string_view bytes) {
  std::size_t size = 0;
  while (bytes.substr(size).starts_with("\r\n")) size += 2;
  return size;
}

std::optional<HeadError> parse_field_line(std::string_view line, Field& field) {
  std::size_t colon = 0;
  while (colon < line.size() && kToken[static_cast<Octet>(line[colon])]) ++colon;
  if (colon == line.size() || line[colon] != ':' || colon == 0) {
    if (line.starts_with(' ') || line.starts_with('\t')) {
      return HeadError{400, "a field goes on in a second line, which is obsolete", "RFC 9112 5.2"};
    }
    if (colon > 0 && colon < line.size() && (line[colon] == ' ' || line[colon] == '\t')) {
      return HeadError{400, "there is white space between a field's name and its colon", "RFC 9112 5.1"};
    }
    return HeadError{
        400, "a field's name is empty, not followed by a colon or has a character that is not allowed",
        "RFC 9110 5.1"};
  }
  field.name = line.substr(0, colon);
  field.value = trim(line.substr(colon + 1));
  if (!is_field_value(field.value)) {
    return HeadError{400, "a field's value has a control character", "RFC 9110 5.5"};
  }
  field.id = identify(field.name);
  field.named_by_connection = false;
  return {};
}

std::optional<HeadError> parse_request_head(std::string_view bytes, RequestHead& head) {
  reset(head.fields);
  head.host = {};
  std::string_view line;
  if (!take_line(bytes, line)) return kBareLineFeed;
  if (auto error = parse_request_line(line, head)) return error;
  if (auto error = parse_fields(bytes, head.version, head.fields)) return error;
  if (auto error = read_host(head)) return error;
  return read_target(head);
}

std::optional<HeadError> parse_response_head(std::string_view bytes, ResponseHead& head) {
  reset(head.fields);
  std::string_view line;
  if (!take_line(bytes, line)) return kBareLineFeed;
  if (auto error = parse_status_line(line, head)) return error;
  return parse_fields(bytes, head.version, head.fields);
}

}  // namespace flylocal::proxy::http1
