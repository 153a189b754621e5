#include "dns/resolv_conf.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::dns;

namespace {

unsigned interface_index(const std::string& name) {
  return name == "eth0" ? 7 : 0;
}

std::vector<std::string> addresses(std::string_view text) {
  std::vector<std::string> out;
  for (auto& endpoint : parse_resolv_conf(text, interface_index).upstreams) {
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
  auto upstreams = parse_resolv_conf("nameserver fe80::1%eth0\nnameserver fe80::2%12\n", interface_index).upstreams;
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

TEST_CASE("what lies in fdaa::/16 is never an upstream: the sandbox would be asked by itself") {
  CHECK(addresses("nameserver fdaa::3\nnameserver fdaa:0:0::3\nnameserver fdaa:0:18::3\nnameserver FDAA:FFFF::1\n"
                  "nameserver fdab::3\nnameserver fda::aaaa\nnameserver 192.0.2.1\n") == Texts{"fdab::3", "fda::aaaa", "192.0.2.1"});
}

TEST_CASE("search domains are those of the last line that gives any") {
  auto search = [](std::string_view text) { return parse_resolv_conf(text, interface_index).search; };
  CHECK(search("").empty());
  CHECK(search("nameserver 192.0.2.1\n# search no.example\n").empty());
  CHECK(search("search corp.example lab.example.\tHome\r\n") == Texts{"corp.example", "lab.example", "Home"});
  CHECK(search("search a.example\ndomain b.example c.example\n") == Texts{"b.example"});
  CHECK(search("domain b.example\nsearch a.example c.example") == Texts{"a.example", "c.example"});
  CHECK(search("search a.example\nsearch\n").empty());
  CHECK(search("search . a..b fine.example\n") == Texts{"fine.example"});
  // Behind three resolvers too.
  CHECK(search("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nsearch a.example\n") ==
        Texts{"a.example"});
}

TEST_CASE("an upstream is an address with or without a port") {
  auto text = [](std::string_view from) {
    auto endpoint = parse_upstream(from, interface_index);
    return endpoint ? endpoint->address().to_string() + " " + std::to_string(endpoint->port()) : endpoint.error().message;
  };
  CHECK(text("192.0.2.53") == "192.0.2.53 53");
  CHECK(text("127.0.0.1:5353") == "127.0.0.1 5353");
  CHECK(text("2001:db8::53") == "2001:db8::53 53");
  CHECK(text("::1") == "::1 53");
  CHECK(text("[2001:db8::53]") == "2001:db8::53 53");
  CHECK(text("[2001:db8::53]:65535") == "2001:db8::53 65535");
  auto with_zone = parse_upstream("fe80::1%eth0", interface_index);
  REQUIRE(with_zone.has_value());
  CHECK(with_zone->address().to_v6().scope_id() == 7);
  auto with_both = parse_upstream("[fe80::1%12]:5353", interface_index);
  REQUIRE(with_both.has_value());
  CHECK(with_both->address().to_v6().scope_id() == 12);
  CHECK(with_both->port() == 5353);
}

TEST_CASE("an upstream that cannot be one is refused with the reason and with what is allowed") {
  struct Case {
    const char* text;
    const char* reason;
  };
  for (auto& [text, reason] : std::initializer_list<Case>{
           {"", "is no IP address"},
           {"localhost", "is no IP address"},
           {"dns.example:53", "is no IP address"},
           {":53", "is no IP address"},
           {"192.0.2", "is no IP address"},
           {"192.0.2.1 ", "is no IP address"},
           {"[]:53", "only an IPv6 address"},
           {"[192.0.2.1]:53", "only an IPv6 address"},
           {"[2001:db8::1", "the bracket is not closed"},
           {"[2001:db8::1]53", "the port"},
           {"[2001:db8::1]:", "the port"},
           {"192.0.2.1:", "the port"},
           {"192.0.2.1:0", "the port"},
           {"192.0.2.1:65536", "the port"},
           {"192.0.2.1:53x", "the port"},
           {"192.0.2.1:-1", "the port"},
           {"192.0.2.1%eth0", "interface of this host"},
           {"fe80::1%eth9", "interface of this host"},
           {"fe80::1", "needs its interface"},
           {"ff02::fb", "multicast"},
           {"224.0.0.251:5353", "multicast"},
           {"fdaa::3", "fdaa::/16"},
           {"fdaa:0:18::3", "fdaa::/16"},
           {"[fdaa::3]:5353", "fdaa::/16"},
       }) {
    INFO(text);
    auto upstream = parse_upstream(text, interface_index);
    REQUIRE(upstream.has_error());
    CHECK(upstream.error().message.find(reason) != std::string::npos);
    CHECK(upstream.error().message.find("allowed: ADDRESS") != std::string::npos);
  }
}
