#include "proxy/tls/postgres_opening.hpp"

namespace flylocal::proxy::tls {
namespace {

constexpr char kTlsHandshake = 0x16;
constexpr std::uint32_t kCancelCode = 80877102, kSslCode = 80877103, kGssCode = 80877104;
constexpr std::uint32_t kProtocolMajor = 3;
constexpr std::size_t kLengthSize = 4;
// The server's own limit of a startup packet.
constexpr std::uint32_t kMaxStartup = 10000;
constexpr std::uint32_t kCancelSize = 16, kMaxCancelSize = 12 + 256;  // protocol 3.2 has longer secrets

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < kLengthSize; ++i) number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

}  // namespace

PostgresOpening read_postgres_opening(std::string_view bytes) {
  if (bytes.empty()) return PostgresOpening::incomplete;
  if (bytes[0] == kTlsHandshake) return PostgresOpening::tls_hello;
  // The length's first byte is 0; what is something else will never become a message.
  if (bytes[0] != 0) return PostgresOpening::malformed;
  if (bytes.size() < kPostgresRequestSize) return PostgresOpening::incomplete;
  const std::uint32_t size = number_at(bytes, 0), code = number_at(bytes, kLengthSize);
  if (code == kSslCode || code == kGssCode) {
    if (size != kPostgresRequestSize) return PostgresOpening::malformed;
    return code == kSslCode ? PostgresOpening::ssl_request : PostgresOpening::gss_request;
  }
  if (code == kCancelCode)
    return size >= kCancelSize && size <= kMaxCancelSize ? PostgresOpening::cancel_request : PostgresOpening::malformed;
  const bool fits = size >= kPostgresRequestSize && size <= kMaxStartup;
  return fits && code >> 16 == kProtocolMajor ? PostgresOpening::startup : PostgresOpening::malformed;
}

std::string postgres_refusal(std::string_view sqlstate, std::string_view message, std::string_view hint) {
  std::string fields;
  const auto add = [&fields](char kind, std::string_view text) {
    fields += kind;
    fields += text;
    fields += '\0';
  };
  add('S', "FATAL");
  add('V', "FATAL");
  add('C', sqlstate);
  add('M', message);
  if (!hint.empty()) add('H', hint);
  fields += '\0';
  const auto size = static_cast<std::uint32_t>(fields.size() + kLengthSize);
  std::string out = "E";
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  return out + fields;
}

}  // namespace flylocal::proxy::tls
