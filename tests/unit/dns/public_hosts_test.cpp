#include <catch2/catch.hpp>

#include "tests/unit/dns/wire.hpp"
#include "tests/unit/dns/zone_world.hpp"

using namespace zone_world;

namespace {

World some_world() {
  World made = world({network({}), network({}, kOtherNetwork)});
  made.public_hosts = {{"Web.fly.dev", make_address_v4("172.19.0.1"), make_address_v6("fdaa:0:18::1")},
                       {"www.example.com.", make_address_v4("172.19.0.2"), std::nullopt},
                       {"bad..name", make_address_v4("172.19.0.3"), std::nullopt},
                       {"web.fly.dev", make_address_v4("172.19.0.4"), std::nullopt}};
  return made;
}

}  // namespace

TEST_CASE("a public name of a local app has the proxy's addresses, from every network") {
  Asked asked(some_world());
  for (auto network : {kNetwork, kOtherNetwork}) {
    const auto v4 = asked.ask(wire::query("wEb.FLY.dev", wire::kA), Transport::udp, network);
    REQUIRE(v4.message.answers.size() == 1);
    CHECK(v4.message.answers[0].type == wire::kA);
    CHECK(v4.message.answers[0].data == wire::Bytes{172, 19, 0, 1});
    CHECK(v4.message.answers[0].owner == "wEb.FLY.dev.");
    CHECK(v4.message.answers[0].ttl == 5);
    const auto v6 = asked.ask(wire::query("web.fly.dev", wire::kAaaa), Transport::udp, network);
    CHECK(addresses(v6.message) == Texts{"fdaa:0:18::1"});
  }
  CHECK(asked.ask("www.example.com", wire::kA).message.answers.at(0).data == wire::Bytes{172, 19, 0, 2});
}

TEST_CASE("other types of a public name have no data, with an SOA of its own (RFC 2308 2.2)") {
  Asked asked(some_world());
  for (auto type : {wire::kMx, wire::kTxt, wire::kHttps, wire::kNs}) check_no_data(asked.ask("web.fly.dev", type), "web.fly.dev.");
  check_no_data(asked.ask("www.example.com", wire::kAaaa), "www.example.com.");
}

TEST_CASE("only exactly the public names are ours: what is above, below and beside them is forwarded") {
  Asked asked(some_world());
  for (auto name : {"fly.dev", "x.web.fly.dev", "other.fly.dev", "example.com", "web.fly.dev.example.com"}) {
    INFO(name);
    CHECK(asked.is_forwarded(name, wire::kA));
  }
}
