#include "flylocal/report/http_answer.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace flylocal::report {
namespace {

constexpr std::size_t kMostOctets = 16 * 1024;
constexpr std::size_t kMostWords = 120;
/// An answer of this size is waited for to its end: it may be a sentence about what is wrong ("Invalid Host header").
constexpr std::size_t kShortBody = 64;
constexpr char kTlsAlert = 0x15, kTlsHandshake = 0x16, kTlsMajor = 0x03;

std::string printable_beginning(std::string_view octets) {
  std::string words;
  for (char c : octets.substr(0, octets.find('\n'))) {
    if (words.size() >= kMostWords) break;
    if (c >= 0x20 && c < 0x7f) words += c;
  }
  return words;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string header_of(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    std::string_view line = head.substr(at + 1, head.find('\n', at + 1) - at - 1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_ignoring_case(line.substr(0, colon), name)) continue;
    line.remove_prefix(colon + 1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    while (line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    return std::string(line);
  }
  return {};
}

constexpr std::string_view kStart = "HTTP/1.";

/// The octets before the empty line; npos while there is none. Looks at no more than these: there may be many heads.
std::size_t head_size(std::string_view octets) {
  for (std::size_t at = octets.find('\n'); at != std::string_view::npos; at = octets.find('\n', at + 1)) {
    const std::string_view rest = octets.substr(at + 1);
    if (rest.starts_with('\n')) return at;
    if (at > 0 && octets[at - 1] == '\r' && rest.starts_with("\r\n")) return at - 1;
  }
  return std::string_view::npos;
}

/// Of the status line "HTTP/1.1 200 OK"; 0 where it has none.
int status_of(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\n'));
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  const std::string_view digits = line.substr(space + 1, 3);
  int status = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return error == std::errc{} && rest == digits.data() + digits.size() && status >= 100 ? status : 0;
}

/// Early hints and the like come before the answer; only an upgrade is one itself.
bool is_announcement(int status) {
  constexpr int kSwitchingProtocols = 101, kOk = 200;
  return status != 0 && status < kOk && status != kSwitchingProtocols;
}

/// What follows the announcements that have come as a whole.
std::string_view behind_announcements(std::string_view octets) {
  for (;;) {
    const std::size_t end_of_head = octets.starts_with(kStart) ? head_size(octets) : std::string_view::npos;
    if (end_of_head == std::string_view::npos || !is_announcement(status_of(octets.substr(0, end_of_head)))) return octets;
    octets.remove_prefix(std::min(octets.find_first_not_of("\r\n", end_of_head), octets.size()));
  }
}

/// Servers that speak TLS and notice that the client does not, say so in plain HTTP (Go, nginx, Apache).
bool asks_for_tls(std::string_view octets) {
  constexpr std::string_view kSigns[] = {"HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port",
                                         "plain HTTP to an SSL-enabled server port", "This combination of host and port requires TLS"};
  return std::any_of(std::begin(kSigns), std::end(kSigns), [&](std::string_view sign) { return octets.find(sign) != std::string_view::npos; });
}

/// So do some servers that speak HTTP/2 alone (Kestrel).
bool asks_for_http2(std::string_view octets) { return octets.find("sent to an HTTP/2 only endpoint") != std::string_view::npos; }

enum class Likeness { kNo, kPerhaps, kYes };

/// Whether `octets` (at least one) are the beginning of what a server of HTTP/2 says first: a SETTINGS frame, or a GOAWAY
/// frame that ends the connection (RFC 9113 3.4, 4.1).
Likeness likeness_to_http2(std::string_view octets) {
  constexpr std::size_t kFrameHeader = 9, kSettingSize = 6, kLeastGoAway = 8;
  constexpr unsigned kMostLength = 16384;  // what a client takes that has said nothing else
  constexpr unsigned kSettings = 4, kGoAway = 7;
  auto octet = [&](std::size_t at) { return static_cast<unsigned char>(octets[at]); };
  if (octet(0) != 0) return Likeness::kNo;
  if (octets.size() < kFrameHeader) return Likeness::kPerhaps;
  const unsigned length = octet(1) * 256u + octet(2), type = octet(3);
  // No flag, and stream 0.
  for (std::size_t at = 4; at < kFrameHeader; ++at)
    if (octet(at) != 0) return Likeness::kNo;
  const bool fits = type == kSettings ? length % kSettingSize == 0 : type == kGoAway && length >= kLeastGoAway;
  return fits && length <= kMostLength ? Likeness::kYes : Likeness::kNo;
}

std::optional<std::size_t> content_length(std::string_view head) {
  const std::string digits = header_of(head, "content-length");
  std::size_t length = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (digits.empty() || error != std::errc{} || rest != digits.data() + digits.size()) return std::nullopt;
  return length;
}

/// Whether all of the body is there, as far as its head tells its length.
bool is_whole(std::string_view head, std::string_view body) {
  if (!header_of(head, "transfer-encoding").empty()) return body.starts_with("0\r\n\r\n") || body.ends_with("\r\n0\r\n\r\n");
  const auto length = content_length(head);
  return length && body.size() >= *length;
}

/// Whether the body may tell what is wrong.
bool may_explain(int status, std::string_view head) {
  if (may_refuse_host(status)) return true;
  const auto length = content_length(head);
  return length && *length > 0 && *length <= kShortBody;
}

}  // namespace

bool may_refuse_host(int status) { return status == 400 || status == 403 || status == 421; }

std::string request_text(const HttpAsk& ask) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: flylocal\r\nAccept: */*\r\n", ask.method, ask.path, ask.host);
  for (const auto& [name, value] : ask.headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + "Connection: close\r\n\r\n";
}

std::optional<HttpAnswer> read_answer(std::string_view octets, bool ended) {
  const bool may_wait = !ended && octets.size() < kMostOctets;
  octets = behind_announcements(octets);
  HttpAnswer answer;
  answer.reach = Reach::kReachable;
  answer.words = printable_beginning(octets);
  if (octets.empty()) {
    if (may_wait) return std::nullopt;
    answer.kind = ended ? HttpAnswer::Kind::kClosed : HttpAnswer::Kind::kSilent;
    return answer;
  }
  if (octets.size() >= 2 && is_tls_handshake(octets)) {
    answer.kind = HttpAnswer::Kind::kTls;
    return answer;
  }
  if (const Likeness http2 = likeness_to_http2(octets); http2 != Likeness::kNo) {
    if (http2 == Likeness::kPerhaps && may_wait) return std::nullopt;
    answer.kind = http2 == Likeness::kYes ? HttpAnswer::Kind::kHttp2 : HttpAnswer::Kind::kNotHttp;
    return answer;
  }
  const std::size_t compared = std::min(octets.size(), kStart.size());
  if (octets.substr(0, compared) != kStart.substr(0, compared)) {
    // A single octet of TLS is no TLS yet.
    if (octets.size() < 2 && may_wait) return std::nullopt;
    answer.kind = HttpAnswer::Kind::kNotHttp;
    return answer;
  }
  const std::size_t end_of_head = head_size(octets);
  const bool whole_head = end_of_head != std::string_view::npos;
  if (!whole_head && may_wait) return std::nullopt;
  const std::string_view head = octets.substr(0, end_of_head);
  const int status = status_of(head);
  if (status == 0) {
    answer.kind = HttpAnswer::Kind::kNotHttp;
    return answer;
  }
  // One that is whole was left behind above.
  if (is_announcement(status)) {
    answer.kind = ended ? HttpAnswer::Kind::kClosed : HttpAnswer::Kind::kSilent;
    return answer;
  }
  // To the end where its text may tell why; the head is enough otherwise.
  if (may_explain(status, head)) {
    const std::size_t start = whole_head ? end_of_head + (octets[end_of_head] == '\r' ? 4 : 2) : octets.size();
    const std::string_view body = octets.substr(start);
    if (may_wait && !is_whole(head, body)) return std::nullopt;
    answer.body = body;
  }
  constexpr int kBadRequest = 400;
  answer.kind = status == kBadRequest && asks_for_tls(octets)     ? HttpAnswer::Kind::kTls
                : status == kBadRequest && asks_for_http2(octets) ? HttpAnswer::Kind::kHttp2
                                                                  : HttpAnswer::Kind::kAnswered;
  answer.status = status;
  answer.location = header_of(head, "location");
  return answer;
}

std::string http2_preface() {
  using namespace std::string_literals;
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" "\x00\x00\x00\x04\x00\x00\x00\x00\x00"s;
}

std::string proxy_protocol_header() { return "PROXY TCP4 172.16.0.1 172.16.0.2 40000 443\r\n"; }

std::string tls_client_hello() {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> session(context ? SSL_new(context.get()) : nullptr, SSL_free);
  if (!session) return {};
  // The session owns both ends.
  SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_connect(session.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(session.get()), &data);
  return std::string(data, size > 0 ? static_cast<std::size_t>(size) : 0);
}

bool is_tls_handshake(std::string_view octets) {
  return octets.size() >= 2 && (octets[0] == kTlsHandshake || octets[0] == kTlsAlert) && octets[1] == kTlsMajor;
}

}  // namespace flylocal::report
