#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <set>

#include "tests/unit/dns/wire.hpp"
#include "tests/unit/dns/zone_world.hpp"

// What names exist and what they say (platform.md 3.1 to 3.3).

using namespace zone_world;
using wire::operator+;

namespace {

constexpr auto kStopped = MachineState::not_started;

/// `count` octets of one letter.
std::string letters(std::size_t count) {
  return std::string(count, 'x');
}

/// "fdaa:0:18:a7b::N:2", as the text of an answer.
std::string address(unsigned n) {
  return make_address_v6(fmt::format("fdaa:0:18:a7b:0:0:{:x}:2", n)).to_string();
}

/// A machine whose id and address are made from `n`.
Machine at(unsigned n, std::string region, MachineState state = MachineState::started) {
  return machine(fmt::format("{:014x}", n), std::move(region), "app", address(n), state);
}

/// Regions in the order of a world with four of them.
std::shared_ptr<const NearestRegions> four_regions() {
  return std::make_shared<NearestRegions>(NearestRegions{{"ams", {"ams", "fra", "iad", "syd"}},
                                                         {"fra", {"fra", "ams", "iad", "syd"}},
                                                         {"iad", {"iad", "ams", "fra", "syd"}},
                                                         {"syd", {"syd", "iad", "fra", "ams"}}});
}

Asked near() {
  World made = world({network({app("db", {at(1, "syd"), at(2, "fra"), at(3, "iad"), at(4, "fra"), at(5, "xyz"), at(6, "ams", kStopped),
                                          at(7, "uvw"), at(8, "xyz")}),
                               app("web", {at(0x10, "ams"), at(0x11, "syd", kStopped)}), app("none", {at(0x20, "ams", kStopped)})})});
  made.networks[0].client_region = "iad";
  made.nearest = four_regions();
  return Asked(std::move(made));
}

}  // namespace

TEST_CASE("top<N>.nearest.of is sorted by the distance from the machine that asks, in a region by creation, unknown regions last") {
  auto asked = near();
  struct Row {
    std::string client, name;
    Texts expected;
  };
  const std::string in_ams = address(0x10), in_syd = address(1), in_fra = address(4);
  for (auto& [client, name, expected] : std::vector<Row>{
           {in_ams, "top1.nearest.of.db.internal", {address(2)}},
           {in_ams, "top2.nearest.of.db.internal", {address(2), address(4)}},
           {in_ams, "top3.nearest.of.db.internal", {address(2), address(4), address(3)}},
           {in_syd, "top3.nearest.of.db.internal", {address(1), address(3), address(2)}},
           {in_fra, "top1.nearest.of.web.internal", {address(0x10)}},
           // More than there are: all, and those of unknown regions by creation behind the others.
           {in_ams,
            "top99999999999999999999999.nearest.of.db.internal",
            {address(2), address(4), address(3), address(1), address(5), address(7), address(8)}},
           // A machine that is stopped itself stands somewhere, too.
           {address(6), "top1.nearest.of.db.internal", {address(2)}},
       }) {
    INFO(client << ' ' << name);
    CHECK(addresses(asked.ask_from(client, name).message) == expected);
  }
}

TEST_CASE("a machine in an unknown region is nearest to its own region; the others are in the order of their creation") {
  auto asked = near();
  CHECK(addresses(asked.ask_from(address(5), "top4.nearest.of.db.internal").message) ==
        Texts{address(5), address(8), address(1), address(2)});
}

TEST_CASE("an asker that is no machine of the network stands in the network's client region") {
  auto asked = near();
  CHECK(addresses(asked.ask_from("fdaa:0:18:a7b::a:2", "top1.nearest.of.db.internal").message) == Texts{address(3)});
  CHECK(addresses(asked.ask_from("::ffff:127.0.0.1", "top1.nearest.of.db.internal").message) == Texts{address(3)});
}

TEST_CASE("without a table of distances only the own region is nearer than others") {
  Asked asked(world({network({app("db", {at(1, "syd"), at(2, "fra"), at(3, "iad")})})}));
  CHECK(addresses(asked.ask_from(address(2), "top9.nearest.of.db.internal").message) == Texts{address(2), address(1), address(3)});
  CHECK(addresses(asked.ask("top9.nearest.of.db.internal", wire::kAaaa).message) == Texts{address(1), address(2), address(3)});
}

TEST_CASE("nearest names: NODATA when nothing is started or another type is asked, NXDOMAIN when malformed (RFC 2308 2)") {
  auto asked = near();
  check_no_data(asked.ask("top3.nearest.of.none.internal", wire::kAaaa));
  check_no_data(asked.ask("top3.nearest.of.db.internal", wire::kA));
  check_no_data(asked.ask("top3.nearest.of.db.internal", wire::kTxt));
  for (auto name : {"top0", "top", "top-1", "top1x", "topx", "nearest", "to1", "top01", "1"}) {
    INFO(name);
    check_no_name(asked.ask(std::string(name) + ".nearest.of.db.internal", wire::kAaaa));
  }
  check_no_name(asked.ask("top1.nearest.of.nosuch.internal", wire::kAaaa));
  check_no_name(asked.ask("x.top1.nearest.of.db.internal", wire::kAaaa));
  check_no_name(asked.ask("top1.of.db.internal", wire::kAaaa));
}

TEST_CASE("what stands between an app and its names exists without records (RFC 8020 2, RFC 4592 2.2.2)") {
  auto asked = near();
  for (auto name : {"of", "nearest.of", "vm", "process", "all", "_metadata", "kv._metadata", "anykey.kv._metadata"}) {
    INFO(name);
    check_no_data(asked.ask(std::string(name) + ".db.internal", wire::kAaaa));
    check_no_data(asked.ask(std::string(name) + ".db.internal", wire::kTxt));
  }
  for (auto name : {"nearest", "kv", "x.kv", "x._metadata", "x.y.z.kv._metadata", "x.of", "x.all"}) {
    INFO(name);
    check_no_name(asked.ask(std::string(name) + ".db.internal", wire::kAaaa));
  }
}

TEST_CASE("<value>.<key>.kv._metadata gives the started machines with that value, in any case (RFC 4343 3)") {
  auto with = [](unsigned n, std::map<std::string, std::string> metadata, MachineState state = MachineState::started) {
    Machine made = at(n, "iad", state);
    made.metadata = std::move(metadata);
    return made;
  };
  Asked asked(world({network({app("web", {with(1, {{"Role", "Primary"}, {"role", "primary"}}), with(2, {{"role", "replica"}}),
                                          with(3, {{"role", "PRIMARY"}}), with(4, {{"role", "primary"}}, kStopped),
                                          with(5, {{"role", ""}, {"", "x"}, {letters(64), "y"}, {"z", letters(64)}, {"m", letters(63)}}),
                                          with(6, {{"version", "v1.2"}})})})}));
  CHECK(addresses(asked.ask("primary.role.kv._metadata.web.internal", wire::kAaaa).message) == Texts{address(1), address(3)});
  CHECK(addresses(asked.ask("Replica.ROLE.kv._metadata.web.internal", wire::kAaaa).message) == Texts{address(2)});
  CHECK(addresses(asked.ask(letters(63) + ".m.kv._metadata.web.internal", wire::kAaaa).message) == Texts{address(5)});
  // A dot may be part of a label (RFC 2181 11).
  const auto dotted = wire::header({}) + wire::Bytes{4, 'v', '1', '.', '2'} +
                      wire::question("version.kv._metadata.web.internal", wire::kAaaa);
  CHECK(addresses(asked.ask(dotted).message) == Texts{address(6)});
  // What no machine has could be had.
  check_no_data(asked.ask("nosuch.role.kv._metadata.web.internal", wire::kAaaa));
  check_no_data(asked.ask("1.2.kv._metadata.web.internal", wire::kAaaa));
  check_no_data(asked.ask("primary.role.kv._metadata.web.internal", wire::kA));
  check_no_name(asked.ask("primary.role.kv._metadata.nosuch.internal", wire::kAaaa));
}

TEST_CASE("named peers have an address each and a list") {
  World made = world({network({}), network({}, kOtherNetwork)});
  made.networks[0].peers = {{"Laptop", make_address_v6(address(0xA))}, {"ci", make_address_v6(address(0xB))}, {letters(64), {}}};
  Asked asked(std::move(made));
  CHECK(addresses(asked.ask("laptop._peer.internal", wire::kAaaa).message) == Texts{address(0xA)});
  CHECK(addresses(asked.ask("CI._PEER.internal", wire::kAaaa).message) == Texts{address(0xB)});
  CHECK(text(asked.ask("_peer.internal", wire::kTxt)) == "Laptop,ci");
  check_no_data(asked.ask("laptop._peer.internal", wire::kA));
  check_no_data(asked.ask("_peer.internal", wire::kAaaa));
  check_no_name(asked.ask("nosuch._peer.internal", wire::kAaaa));
  check_no_name(asked.ask("x.laptop._peer.internal", wire::kAaaa));
  const auto elsewhere = wire::query("laptop._peer.internal", wire::kAaaa);
  check_no_name(asked.ask(elsewhere, Transport::udp, kOtherNetwork));
  CHECK(text(asked.ask(wire::query("_peer.internal", wire::kTxt), Transport::udp, kOtherNetwork)).empty());
}

TEST_CASE("_api is the Machines API, where there is one") {
  World made = world({network({}), network({}, kOtherNetwork)});
  made.networks[0].api = make_address_v6("fdaa:0:18::3");
  Asked asked(std::move(made));
  CHECK(addresses(asked.ask("_api.internal", wire::kAaaa).message) == Texts{"fdaa:0:18::3"});
  check_no_data(asked.ask("_api.internal", wire::kA));
  check_no_name(asked.ask("x._api.internal", wire::kAaaa));
  check_no_name(asked.ask(wire::query("_api.internal", wire::kAaaa), Transport::udp, kOtherNetwork));
}

TEST_CASE("<app>.flycast gives the app's Flycast addresses, whatever is started, and is never asked outside") {
  World made = world({network({app("web", {at(1, "iad", kStopped)}), app("Twice", {}), app("bare", {at(2, "iad")})})});
  made.networks[0].apps[0].flycast = {make_address_v6("fdaa:0:18:0:1::11")};
  made.networks[0].apps[1].flycast = {make_address_v6("fdaa:0:18:0:1::12"), make_address_v6("fdaa:0:18:0:1::13")};
  Asked asked(std::move(made));
  CHECK(addresses(asked.ask("web.flycast", wire::kAaaa).message) == Texts{"fdaa:0:18:0:1::11"});
  CHECK(addresses(asked.ask("tWICE.Flycast", wire::kAaaa).message) == Texts{"fdaa:0:18:0:1::12", "fdaa:0:18:0:1::13"});
  check_no_data(asked.ask("bare.flycast", wire::kAaaa), "flycast.");
  check_no_data(asked.ask("web.flycast", wire::kA), "flycast.");
  check_no_data(asked.ask("flycast", wire::kAaaa), "flycast.");
  check_no_name(asked.ask("nosuch.flycast", wire::kAaaa), "flycast.");
  check_no_name(asked.ask("iad.web.flycast", wire::kAaaa), "flycast.");
  CHECK(asked.ask("flycast", wire::kSoa).message.answers.size() == 1);
}

TEST_CASE("_instances lists machines as the platform does, all._instances also those that are not started") {
  Asked asked(world({network({app("web", {machine("683d314fdd4d68", "iad", "app", "fdaa:0:18:a7b:7d:f066:b83b:2"),
                                          machine("568323e9b54dd8", "lhr", "app", "fdaa:0:18:a7b:1:2:3:2", kStopped)}),
                              app("empty", {}), app("Db", {machine("148e4d3cd10e89", "ams", "app", "fdaa:0:18:a7b::9:2")})}),
                     network({}, kOtherNetwork)}));
  const std::string web = "instance=683d314fdd4d68,app=web,ip=fdaa:0:18:a7b:7d:f066:b83b:2,region=iad";
  const std::string stopped = "instance=568323e9b54dd8,app=web,ip=fdaa:0:18:a7b:1:2:3:2,region=lhr";
  const std::string db = "instance=148e4d3cd10e89,app=Db,ip=fdaa:0:18:a7b::9:2,region=ams";
  CHECK(text(asked.ask("_instances.internal", wire::kTxt)) == web + ';' + db);
  CHECK(text(asked.ask("all._instances.internal", wire::kTxt)) == web + ';' + stopped + ';' + db);
  check_no_data(asked.ask("_instances.internal", wire::kAaaa));
  check_no_name(asked.ask("nosuch._instances.internal", wire::kTxt));
  for (auto name : {"_instances.internal", "all._instances.internal", "_apps.internal"}) {
    const auto nothing = asked.ask(wire::query(name, wire::kTxt), Transport::udp, kOtherNetwork);
    REQUIRE(nothing.message.answers.size() == 1);
    CHECK(nothing.message.answers[0].data == wire::Bytes{0});
  }
}

TEST_CASE("a list longer than any message is left out with TC, also over TCP (RFC 2181 9)") {
  Asked asked(world({network({crowd("crowd", 2000)})}));
  const auto a = asked.ask(wire::query("_instances.internal", wire::kTxt), Transport::tcp);
  CHECK(a.message.truncated);
  CHECK(a.message.answers.empty());
  CHECK(a.message.rcode == 0);
}

TEST_CASE("addresses keep the order of creation, or are permuted per query, as the world says") {
  const std::size_t kMachines = 12;
  auto orders = [&](AnswerOrder order, std::string_view name) {
    World made = world({network({crowd("crowd", kMachines)})});
    made.order = order;
    Asked asked(std::move(made));
    std::set<Texts> seen;
    for (int i = 0; i < 50; ++i) {
      auto list = addresses(asked.ask(name, wire::kAaaa).message);
      seen.insert(list);
      std::sort(list.begin(), list.end());
      CHECK(std::unique(list.begin(), list.end()) == list.end());
      CHECK(list.size() == kMachines);
    }
    return seen.size();
  };
  CHECK(orders(AnswerOrder::fixed, "crowd.internal") == 1);
  // 50 draws of 12! orders: two equal ones are not to be expected in the life of this test.
  CHECK(orders(AnswerOrder::random, "crowd.internal") > 40);
  CHECK(orders(AnswerOrder::random, "iad.crowd.internal") > 40);
  // Distance is an order of its own.
  CHECK(orders(AnswerOrder::random, "top12.nearest.of.crowd.internal") == 1);
}

TEST_CASE("of a permuted answer that is cut, every address is in some answer") {
  World made = world({network({crowd("crowd", 40)})});
  made.order = AnswerOrder::random;
  Asked asked(std::move(made));
  std::set<std::string> seen;
  for (int i = 0; i < 300; ++i) {
    const auto a = asked.ask("crowd.internal", wire::kAaaa);
    REQUIRE(a.message.truncated);
    REQUIRE(a.message.answers.size() == (512 - 12 - 20) / 28);
    for (auto& one : addresses(a.message)) seen.insert(one);
  }
  CHECK(seen.size() == 40);
}
