#include "proxy/tls/postgres_opening.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::proxy::tls;

namespace {

std::string number(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::string message(std::uint32_t size, std::uint32_t code) { return number(size) + number(code); }

}  // namespace

TEST_CASE("a PostgreSQL client's first message is told by its length and code") {
  struct Case {
    std::string bytes;
    PostgresOpening opening;
  };
  const Case cases[] = {
      {"", PostgresOpening::incomplete},
      {message(8, 80877103), PostgresOpening::ssl_request},
      {message(8, 80877103) + "more", PostgresOpening::ssl_request},
      {message(9, 80877103), PostgresOpening::malformed},
      {message(8, 80877104), PostgresOpening::gss_request},
      {message(16, 80877102) + "pid.key.", PostgresOpening::cancel_request},
      {message(44, 80877102), PostgresOpening::cancel_request},  // a long secret of protocol 3.2
      {message(8, 80877102), PostgresOpening::malformed},
      {message(33, 3 << 16), PostgresOpening::startup},
      {message(33, 3 << 16 | 2), PostgresOpening::startup},
      {message(33, 2 << 16), PostgresOpening::malformed},
      {message(10001, 3 << 16), PostgresOpening::malformed},
      {message(4, 3 << 16), PostgresOpening::malformed},
      {"\x16\x03\x01", PostgresOpening::tls_hello},
      {"\x16", PostgresOpening::tls_hello},
      {"GET / HTTP/1.1\r\n", PostgresOpening::malformed},
      {"Q", PostgresOpening::malformed},
  };
  for (const Case& c : cases) {
    INFO(c.bytes);
    CHECK(read_postgres_opening(c.bytes) == c.opening);
  }
  const std::string request = message(8, 80877103);
  for (std::size_t size = 1; size < request.size(); ++size)
    CHECK(read_postgres_opening(std::string_view(request).substr(0, size)) == PostgresOpening::incomplete);
}

TEST_CASE("a refusal is an ErrorResponse whose length is right") {
  const std::string refusal = postgres_refusal("28000", "no", "try");
  const std::string fields("SFATAL\0VFATAL\0C28000\0Mno\0Htry\0\0", 31);
  CHECK(refusal == "E" + number(static_cast<std::uint32_t>(fields.size() + 4)) + fields);
  CHECK(postgres_refusal("28000", "no", "").find('H') == std::string::npos);
}
