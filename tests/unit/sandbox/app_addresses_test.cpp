#include "flylocal/sandbox/app_addresses.hpp"

#include <catch2/catch.hpp>

using namespace flylocal;
using namespace flylocal::sandbox;
using launch::IpAddressKind;

namespace {

const NetworkNumbers kNetworks = {{{"personal", "default"}, 0x18}, {{"personal", "staging"}, 0x9d844}};

project::AppSpec app(const std::string& name, std::set<IpAddressKind> kinds, bool with_service = true, const std::string& network = "default") {
  project::AppSpec spec;
  spec.name = name;
  spec.organization = "personal";
  spec.network = network;
  spec.ip_addresses = std::move(kinds);
  spec.groups["app"].config.services.resize(with_service ? 1 : 0);
  return spec;
}

AppAddresses addresses(std::set<IpAddressKind> kinds, bool with_service = true) {
  return app_addresses({app("web", std::move(kinds), with_service)}, kNetworks).at("web");
}

}  // namespace

TEST_CASE("an app has the addresses of the kinds that it names") {
  struct Case {
    const char* name;
    std::set<IpAddressKind> kinds;
    bool ipv4, ipv6, flycast;
  };
  const Case cases[] = {
      {"nothing said", {}, true, true, false},
      {"an address of its own", {IpAddressKind::kV4}, true, false, false},
      {"a shared one", {IpAddressKind::kSharedV4}, true, false, false},
      {"IPv6 alone", {IpAddressKind::kV6}, false, true, false},
      {"Flycast alone", {IpAddressKind::kPrivateV6}, false, false, true},
      {"all", {IpAddressKind::kV4, IpAddressKind::kV6, IpAddressKind::kPrivateV6}, true, true, true},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const AppAddresses got = addresses(c.kinds);
    CHECK(got.public_ipv4.has_value() == c.ipv4);
    CHECK(got.public_ipv6.has_value() == c.ipv6);
    CHECK(got.flycast.has_value() == c.flycast);
  }
}

TEST_CASE("an app without a service has only what it names") {
  const AppAddresses none = addresses({}, false);
  CHECK_FALSE(none.public_ipv4.has_value());
  CHECK_FALSE(none.public_ipv6.has_value());
  CHECK(addresses({IpAddressKind::kV4}, false).public_ipv4.has_value());
}

TEST_CASE("a Flycast address is of the app's network, and is the same whatever else runs") {
  const auto web = app("web", {IpAddressKind::kPrivateV6});
  const auto far = app("far", {IpAddressKind::kPrivateV6}, true, "staging");
  const auto together = app_addresses({far, web, app("api", {})}, kNetworks);
  const auto near_text = together.at("web").flycast->to_string();
  const auto far_text = together.at("far").flycast->to_string();
  CHECK_THAT(near_text, Catch::StartsWith("fdaa:0:18:0:1::"));
  CHECK_THAT(far_text, Catch::StartsWith("fdaa:9:d844:0:1::"));
  CHECK(together.at("web").flycast == addresses({IpAddressKind::kPrivateV6}).flycast);
  CHECK(together.at("web").public_ipv4 != together.at("api").public_ipv4);
}
