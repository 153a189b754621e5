#include "flylocal/report/scope.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/report/machine.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;

TEST_CASE("an address and IPV6_V6ONLY say who can reach a socket") {
  struct Case {
    const char* address;
    Family family;
    Scope scope;
    bool private_ipv4, six_pn, global_services;  ///< who gets through
  };
  const Family any = Family::kDefault, v6_only = Family::kV6Only;
  const Case cases[] = {
      {"127.0.0.1", any, Scope::kLoopback, false, false, false},
      {"127.255.255.254", any, Scope::kLoopback, false, false, false},
      {"::1", any, Scope::kLoopback, false, false, false},
      {"::1", v6_only, Scope::kLoopback, false, false, false},
      {"::ffff:127.0.0.1", any, Scope::kLoopback, false, false, false},
      {"0.0.0.0", any, Scope::kIpv4Wildcard, true, false, true},
      {"::ffff:0.0.0.0", any, Scope::kIpv4Wildcard, true, false, true},
      {"::", any, Scope::kDualWildcard, true, true, true},
      {"::", v6_only, Scope::kIpv6Wildcard, false, true, false},
      {"172.19.0.2", any, Scope::kPrivateIpv4, true, false, false},
      {"::ffff:172.19.0.2", any, Scope::kPrivateIpv4, true, false, false},
      {"172.19.0.3", any, Scope::kGlobalServices, false, false, true},
      {"::ffff:172.19.0.3", any, Scope::kGlobalServices, false, false, true},
      {"fdaa:0:18:a7b:7d:f066:b83b:2", any, Scope::kSixPn, false, true, false},
      {"fdaa:0:18:a7b:7d:f066:b83b:2", v6_only, Scope::kSixPn, false, true, false},
      {"172.19.0.1", any, Scope::kOther, false, false, false},
      {"fdaa:0:18:a7b:7d:f066:b83b:3", any, Scope::kOther, false, false, false},
      {"fe80::1", any, Scope::kOther, false, false, false},
      {"128.0.0.1", any, Scope::kOther, false, false, false},
  };
  for (const Case& c : cases) {
    INFO(c.address);
    const Scope scope = scope_of(tcp(c.address, kPort, c.family), addresses());
    CHECK(static_cast<int>(scope) == static_cast<int>(c.scope));
    CHECK(takes_private_ipv4(scope) == c.private_ipv4);
    CHECK(takes_six_pn(scope) == c.six_pn);
    CHECK(takes_global_services(scope) == c.global_services);
    CHECK(scope_of(udp(c.address, kPort, c.family), addresses()) == scope);
  }
}

TEST_CASE("an endpoint has its IPv6 address in brackets, and several stand in one line") {
  CHECK(endpoint(tcp("127.0.0.1")) == "127.0.0.1:8080");
  CHECK(endpoint(tcp("::", 80)) == "[::]:80");
  CHECK(endpoints({}).empty());
  CHECK(endpoints({tcp("0.0.0.0", 80), tcp("::1", 65535)}) == "0.0.0.0:80, [::1]:65535");
}
