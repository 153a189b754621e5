#include "proxy/proxy_protocol.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::proxy;
using boost::asio::ip::make_address;
using boost::asio::ip::tcp;

namespace {

tcp::endpoint at(const char* ip, std::uint16_t port) { return {make_address(ip), port}; }

std::string bytes(std::string_view text, std::size_t size) { return std::string(text.data(), size); }

const std::string kSignature = bytes("\r\n\r\n\0\r\nQUIT\n", 12);

}  // namespace

TEST_CASE("a PROXY header of version 1 is a line that names both ends") {
  const auto header = [](const char* client, const char* dialled) {
    return proxy_protocol_header(ProxyProtocolVersion::v1, at(client, 50000), at(dialled, 443));
  };
  CHECK(header("192.0.2.7", "198.18.0.1") == "PROXY TCP4 192.0.2.7 198.18.0.1 50000 443\r\n");
  CHECK(header("2001:db8::7", "::1") == "PROXY TCP6 2001:db8::7 ::1 50000 443\r\n");
  CHECK(header("::ffff:192.0.2.7", "198.18.0.1") == "PROXY TCP4 192.0.2.7 198.18.0.1 50000 443\r\n");
  CHECK(header("fe80::1%7", "::1") == "PROXY TCP6 fe80::1 ::1 50000 443\r\n");
  CHECK(header("192.0.2.7", "::1") == "PROXY UNKNOWN\r\n");
}

TEST_CASE("the longest PROXY header of version 1 keeps within the 107 characters that receivers read") {
  const char* longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  CHECK(proxy_protocol_header(ProxyProtocolVersion::v1, at(longest, 65535), at(longest, 65535)).size() <= 107);
}

TEST_CASE("a PROXY header of version 2 is binary") {
  const auto header = [](const char* client, const char* dialled) {
    return proxy_protocol_header(ProxyProtocolVersion::v2, at(client, 0x1234), at(dialled, 443));
  };
  CHECK(header("192.0.2.7", "198.18.0.1") == kSignature + bytes("\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x12\x00\x01\x12\x34\x01\xbb", 16));
  const std::string six = header("2001:db8::7", "::1");
  CHECK(six.substr(0, 16) == kSignature + bytes("\x21\x21\x00\x24", 4));
  CHECK(six.substr(16) == bytes("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16) + bytes("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16) +
                              bytes("\x12\x34\x01\xbb", 4));
  CHECK(header("::ffff:192.0.2.7", "198.18.0.1") == header("192.0.2.7", "198.18.0.1"));
  CHECK(header("192.0.2.7", "::1") == kSignature + bytes("\x20\x00\x00\x00", 4));
}
