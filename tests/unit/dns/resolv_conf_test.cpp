#include "dns/resolv_conf.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::dns;

namespace {

unsigned interface_index(const std::string& name) {
  return name == "eth0" ? 7 : 0;
}

std::vector<std::string> addresses(std::string_view text) {
  std::vector<std::string> out;
  for (auto& endpoint : parse_resolv_conf(text, interface_index)) {
    CHECK(endpoint.port() == 53);
    out.push_back(endpoint.address().to_string());
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("nameserver lines become upstreams in their order; other lines do not matter") {
  CHECK(addresses("# made by hand\nsearch example.org\nnameserver 192.0.2.1\noptions edns0\n"
                  "nameserver\t2001:db8::1  \n;nameserver 192.0.2.9\n") == Texts{"192.0.2.1", "2001:db8::1"});
}

TEST_CASE("the last line needs no line feed, lines may end in CR LF and begin with blanks") {
  CHECK(addresses("nameserver 192.0.2.1\r\n  nameserver 192.0.2.2") == Texts{"192.0.2.1", "192.0.2.2"});
}

TEST_CASE("no more than three are taken, as the C library does") {
  CHECK(
      addresses("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n") ==
      Texts{"192.0.2.1", "192.0.2.2", "192.0.2.3"});
}

TEST_CASE("a link-local address has its zone by name or number") {
  auto upstreams = parse_resolv_conf("nameserver fe80::1%eth0\nnameserver fe80::2%12\n", interface_index);
  REQUIRE(upstreams.size() == 2);
  CHECK(upstreams[0].address().to_v6().scope_id() == 7);
  CHECK(upstreams[1].address().to_v6().scope_id() == 12);
}

TEST_CASE("lines that name no usable address are passed over") {
  CHECK(addresses("nameserver\nnameserver localhost\nnameserver fe80::1%eth9\nnameserver 192.0.2.1%eth0\n"
                  "nameserver 192.0.2.1:5353\nnameservers 192.0.2.2\nnameserver 192.0.2\n")
            .empty());
  CHECK(addresses("").empty());
}

TEST_CASE("fdaa::3 is never an upstream: it would be asked by itself") {
  CHECK(addresses("nameserver fdaa::3\nnameserver fdaa:0:0::3\nnameserver 192.0.2.1\n") ==
        Texts{"192.0.2.1"});
  // A resolver at the far end of a WireGuard tunnel is another one.
  CHECK(addresses("nameserver fdaa:0:18::3\n") == Texts{"fdaa:0:18::3"});
}
