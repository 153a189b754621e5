#include "flylocal/sandbox/dns_world.hpp"

#include <catch2/catch.hpp>

using namespace flylocal;
using namespace flylocal::sandbox;
using boost::asio::ip::make_address_v4;
using boost::asio::ip::make_address_v6;

namespace {

project::AppSpec app(const std::string& name, const std::string& network = "default") {
  project::AppSpec spec;
  spec.name = name;
  spec.organization = "personal";
  spec.network = network;
  return spec;
}

store::MachineRecord machine(const std::string& app, const std::string& id, const std::string& region, const std::string& group, const char* six_pn) {
  store::MachineRecord record;
  record.id = id;
  record.app = app;
  record.region = region;
  record.process_group = group;
  record.six_pn = make_address_v6(six_pn);
  return record;
}

/// A sandbox without machines; each test case says what else it has.
struct Facts {
  std::vector<project::AppSpec> apps{app("web"), app("api"), app("far", "staging")};
  NetworkNumbers networks{{{"personal", "default"}, 0x18}, {{"personal", "staging"}, 0x9d844}};
  std::map<std::string, AppAddresses> addresses{{"web", {}}, {"api", {}}, {"far", {}}};
  std::vector<store::MachineRecord> records;
  std::set<std::string> started;

  DnsFacts facts() const {
    DnsFacts result{&apps, &networks, &addresses, {}, "ams", dns::AnswerOrder::fixed, false, nullptr};
    for (const store::MachineRecord& record : records) result.machines.push_back({&record, started.contains(record.id)});
    return result;
  }
  dns::World world() const { return dns_world(facts()); }
};

const dns::Network& network(const dns::World& world, std::uint32_t number) {
  for (const dns::Network& one : world.networks)
    if (one.id == static_cast<dns::NetworkId>(number)) return one;
  FAIL("no network " << number);
  return world.networks.front();
}

std::vector<std::string> names(const std::vector<dns::App>& apps) {
  std::vector<std::string> result;
  for (const dns::App& one : apps) result.push_back(one.name);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("each app is on its network, and nowhere else") {
  const dns::World world = Facts().world();
  REQUIRE(world.networks.size() == 2);
  CHECK(names(network(world, 0x18).apps) == Names{"web", "api"});
  CHECK(names(network(world, 0x9d844).apps) == Names{"far"});
}

TEST_CASE("machines go to their apps, in the order of their creation, with what the DNS answers from") {
  Facts facts;
  facts.records = {machine("web", "00000000000001", "lhr", "app", "fdaa:0:18:a7b::1:2"), machine("api", "00000000000002", "ams", "app", "fdaa:0:18:a7b::2:2"),
                   machine("web", "00000000000003", "iad", "jobs", "fdaa:0:18:a7b::3:2"), machine("far", "00000000000004", "syd", "app", "fdaa:9:d844:a7b::4:2")};
  facts.started = {"00000000000003", "00000000000004"};
  const dns::World world = facts.world();
  const std::vector<dns::Machine> of_web = {
      {"00000000000001", "lhr", "app", make_address_v6("fdaa:0:18:a7b::1:2"), dns::MachineState::not_started, {{"fly_process_group", "app"}, {"fly_platform_version", "v2"}}},
      {"00000000000003", "iad", "jobs", make_address_v6("fdaa:0:18:a7b::3:2"), dns::MachineState::started, {{"fly_process_group", "jobs"}, {"fly_platform_version", "v2"}}}};
  const dns::Network& near = network(world, 0x18);
  CHECK(near.apps[0].machines == of_web);
  REQUIRE(near.apps[1].machines.size() == 1);
  CHECK(near.apps[1].machines[0].id == "00000000000002");
  const dns::Network& far = network(world, 0x9d844);
  REQUIRE(far.apps[0].machines.size() == 1);
  CHECK(far.apps[0].machines[0].state == dns::MachineState::started);
}

TEST_CASE("flylocal is a peer of every network, and the Machines API has its name there") {
  const dns::World world = Facts().world();
  for (const std::uint32_t number : {0x18u, 0x9d844u}) {
    const dns::Network& one = network(world, number);
    CHECK(one.peers == std::vector<dns::Peer>{{"flylocal", platform::peer_address(number)}});
    CHECK(one.api == make_address_v6("fdaa::3"));
    CHECK(one.client_region == "ams");
  }
}

TEST_CASE("a Flycast address is shown on the app's network") {
  Facts facts;
  facts.addresses.at("api").flycast = make_address_v6("fdaa:0:18:0:1::7");
  const dns::World world = facts.world();
  CHECK(network(world, 0x18).apps[0].flycast.empty());
  CHECK(network(world, 0x18).apps[1].flycast == std::vector{make_address_v6("fdaa:0:18:0:1::7")});
  CHECK(network(world, 0x9d844).apps[0].flycast.empty());
}

TEST_CASE("the public names of all apps are there for everybody, those without an address too") {
  Facts facts;
  facts.apps[0].domains = {"example.com", "www.example.com"};
  facts.addresses.at("web") = {make_address_v4("198.18.0.9"), make_address_v6("2001:2::9"), {}};
  facts.addresses.at("far") = {make_address_v4("198.18.0.8"), {}, {}};
  facts.apps.push_back(app("flylocal-peer"));
  facts.apps.back().is_fixture = true;
  facts.addresses["flylocal-peer"] = {};
  const auto ipv4 = make_address_v4("198.18.0.9");
  const auto ipv6 = make_address_v6("2001:2::9");
  const std::vector<dns::PublicHost> hosts = {{"web.fly.dev", ipv4, ipv6},
                                              {"example.com", ipv4, ipv6},
                                              {"www.example.com", ipv4, ipv6},
                                              {"api.fly.dev", {}, {}},
                                              {"far.fly.dev", make_address_v4("198.18.0.8"), {}}};
  CHECK(facts.world().public_hosts == hosts);
}

TEST_CASE("the settings and the distances reach the DNS") {
  Facts facts;
  DnsFacts given = facts.facts();
  const dns::World plain = dns_world(given);
  CHECK(plain.order == dns::AnswerOrder::fixed);
  CHECK_FALSE(plain.reverse_names);
  given.order = dns::AnswerOrder::random;
  given.reverse_names = true;
  given.nearest = std::make_shared<const dns::NearestRegions>(dns::NearestRegions{{"ams", {"ams", "lhr"}}});
  const dns::World world = dns_world(given);
  CHECK(world.order == dns::AnswerOrder::random);
  CHECK(world.reverse_names);
  CHECK(world.nearest == given.nearest);  // the very same, so that nobody takes it for a change
}

TEST_CASE("the same facts give an equal world") {
  Facts facts;
  facts.records = {machine("web", "00000000000001", "lhr", "app", "fdaa:0:18:a7b::1:2")};
  const dns::World before = facts.world();
  CHECK(before == facts.world());
  facts.started = {"00000000000001"};
  CHECK_FALSE(before == facts.world());
}
