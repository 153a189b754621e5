#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What a PostgreSQL client says before TLS (PostgreSQL documentation, "Message Formats": the messages without a type).
namespace flylocal::proxy::tls {

enum class PostgresOpening : std::uint8_t {
  incomplete,      ///< more bytes are needed
  tls_hello,       ///< TLS at once, as clients of PostgreSQL 17 may do (sslnegotiation=direct)
  ssl_request,     ///< to be answered with one byte, 'S' or 'N'; kPostgresRequestSize bytes
  gss_request,     ///< the same, for encryption with GSSAPI
  cancel_request,
  startup,         ///< begins to work without encryption
  malformed,
};

inline constexpr std::size_t kPostgresRequestSize = 8;

/// What `bytes` begin with.
PostgresOpening read_postgres_opening(std::string_view bytes);

/// An ErrorResponse that ends the connection. `sqlstate` has five characters.
std::string postgres_refusal(std::string_view sqlstate, std::string_view message, std::string_view hint);

}  // namespace flylocal::proxy::tls
