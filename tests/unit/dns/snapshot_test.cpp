#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <thread>

#include "dns/snapshot_slot.hpp"
#include "tests/unit/dns/zone_world.hpp"

using namespace zone_world;

namespace {

World some_world() {
  const auto web = machine("3d8d413b29d089", "iad", "app", "fdaa:0:18:a7b::1:2", MachineState::started, {{"role", "x"}});
  World made = world({network({app("web", {web}),
                               app("db", {machine("683d314fdd4d68", "iad", "app", "fdaa:0:18:a7b::2:2")}), app("last", {})}),
                      network({app("web", {})}, kOtherNetwork)});
  made.public_hosts = {{"web.fly.dev", make_address_v4("172.19.0.1"), std::nullopt}};
  made.reverse_names = true;
  return made;
}

const AppZone* zone_of(const ZoneSnapshot& snapshot, std::string_view app, NetworkId network = kNetwork) {
  return snapshot.find(network)->app(app);
}

/// What a snapshot answers, as octets.
wire::Bytes answer(const ZoneSnapshot& snapshot, std::string_view name, std::uint16_t type) {
  wire::Bytes response;
  Responder().respond(wire::query(name, type), &snapshot, kNetwork, kStranger, Transport::tcp, response);
  return response;
}

}  // namespace

TEST_CASE("a snapshot shares with the one before it the zones of apps that did not change") {
  const ZoneSnapshot first(some_world());
  struct Row {
    std::string what;
    std::function<void(World&)> change;
    bool web_is_shared;
  };
  for (auto& [what, change, web_is_shared] : std::vector<Row>{
           {"nothing", [](World&) {}, true},
           {"another app", [](World& w) { w.networks[0].apps[1].machines[0].state = MachineState::not_started; }, true},
           {"a new app in front", [](World& w) { w.networks[0].apps.insert(w.networks[0].apps.begin(), app("new", {})); }, true},
           {"another app is gone", [](World& w) { w.networks[0].apps.erase(w.networks[0].apps.begin() + 1); }, true},
           {"the order of apps", [](World& w) { std::swap(w.networks[0].apps[0], w.networks[0].apps[2]); }, true},
           {"a state", [](World& w) { w.networks[0].apps[0].machines[0].state = MachineState::not_started; }, false},
           {"an address", [](World& w) { w.networks[0].apps[0].machines[0].six_pn = make_address_v6("fdaa:0:18:a7b::9:2"); }, false},
           {"a region", [](World& w) { w.networks[0].apps[0].machines[0].region = "ams"; }, false},
           {"a group", [](World& w) { w.networks[0].apps[0].machines[0].process_group = "cron"; }, false},
           {"metadata", [](World& w) { w.networks[0].apps[0].machines[0].metadata["role"] = "y"; }, false},
           {"a Flycast address", [](World& w) { w.networks[0].apps[0].flycast = {make_address_v6("fdaa:0:18:0:1::11")}; }, false},
           {"the spelling", [](World& w) { w.networks[0].apps[0].name = "WEB"; }, false},
       }) {
    INFO(what);
    World changed = some_world();
    change(changed);
    const ZoneSnapshot from_scratch(changed);
    const ZoneSnapshot next(changed, &first);
    CHECK((zone_of(next, "web") == zone_of(first, "web")) == web_is_shared);
    CHECK(zone_of(next, "web", kOtherNetwork) == zone_of(first, "web", kOtherNetwork));
    // Shared or not: what is answered is the same as without a snapshot before.
    for (auto name : {"web.internal", "iad.web.internal", "ams.web.internal", "db.internal", "new.internal", "cron.process.web.internal",
                      "y.role.kv._metadata.web.internal", "web.flycast", "top1.nearest.of.web.internal"}) {
      INFO(name);
      CHECK(answer(next, name, wire::kAaaa) == answer(from_scratch, name, wire::kAaaa));
    }
    for (auto name : {"vms.web.internal", "_apps.internal", "_instances.internal", "all._instances.internal"}) {
      INFO(name);
      CHECK(answer(next, name, wire::kTxt) == answer(from_scratch, name, wire::kTxt));
    }
    for (auto last_group : {"1", "2", "9"}) {
      const auto name = fmt::format("2.0.0.0.{}.0.0.0.0.0.0.0.0.0.0.0.b.7.a.0.8.1.0.0.0.0.0.0.a.a.d.f.ip6.arpa", last_group);
      INFO(name);
      CHECK(answer(next, name, 12) == answer(from_scratch, name, 12));
    }
  }
}

TEST_CASE("what is of the network or the world alone changes with the next snapshot") {
  const ZoneSnapshot first(some_world());
  World changed = some_world();
  changed.networks[0].peers = {{"laptop", make_address_v6("fdaa:0:18:a7b:0:a:0:2")}};
  changed.networks[0].api = make_address_v6("fdaa:0:18::3");
  changed.public_hosts[0].ipv4 = make_address_v4("172.19.0.9");
  changed.reverse_names = false;
  const ZoneSnapshot next(changed, &first);
  CHECK(wire::decode(answer(next, "laptop._peer.internal", wire::kAaaa)).answers.size() == 1);
  CHECK(wire::decode(answer(next, "_api.internal", wire::kAaaa)).answers.size() == 1);
  CHECK(wire::decode(answer(next, "web.fly.dev", wire::kA)).answers.at(0).data == wire::Bytes{172, 19, 0, 9});
  const auto reverse = "2.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.b.7.a.0.8.1.0.0.0.0.0.0.a.a.d.f.ip6.arpa";
  CHECK(wire::decode(answer(first, reverse, 12)).answers.size() == 1);
  CHECK(wire::decode(answer(next, reverse, 12)).rcode == 3);
  CHECK(zone_of(next, "web") == zone_of(first, "web"));
}

TEST_CASE("a snapshot outlives the one that it shares with") {
  auto first = std::make_unique<ZoneSnapshot>(some_world());
  const ZoneSnapshot next(some_world(), first.get());
  first.reset();
  CHECK(wire::decode(answer(next, "web.internal", wire::kAaaa)).answers.size() == 1);
}

TEST_CASE("the reader hands the old snapshot back, and the next publisher frees it") {
  SnapshotSlot slot;
  CHECK(slot.current() == nullptr);
  auto first = std::make_shared<const ZoneSnapshot>(some_world());
  auto second = std::make_shared<const ZoneSnapshot>(some_world());
  const auto* second_address = second.get();
  std::weak_ptr<const ZoneSnapshot> first_lives = first, second_lives = second;
  slot.publish(std::exchange(first, nullptr));
  CHECK(slot.current() == first_lives.lock().get());
  slot.publish(std::exchange(second, nullptr));
  CHECK_FALSE(first_lives.expired());  // the reader may be in the middle of a query
  CHECK(slot.current() == second_address);
  CHECK(slot.current() == second_address);
  CHECK_FALSE(first_lives.expired());  // the reader freed nothing
  slot.publish(nullptr);
  CHECK(first_lives.expired());
  CHECK(slot.current() == nullptr);
  CHECK_FALSE(second_lives.expired());
  slot.publish(std::make_shared<const ZoneSnapshot>(some_world()));
  CHECK(second_lives.expired());
}

TEST_CASE("a snapshot that the reader never saw is freed by the publisher that replaces it, and the rest with the slot") {
  std::weak_ptr<const ZoneSnapshot> unseen, last;
  {
    SnapshotSlot slot;
    auto snapshot = std::make_shared<const ZoneSnapshot>(some_world());
    unseen = snapshot;
    slot.publish(std::move(snapshot));
    snapshot = std::make_shared<const ZoneSnapshot>(some_world());
    last = snapshot;
    slot.publish(std::move(snapshot));
    CHECK(unseen.expired());
    CHECK_FALSE(last.expired());
  }
  CHECK(last.expired());
}

TEST_CASE("publishers on several threads and a reader do not disturb each other") {
  SnapshotSlot slot;
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> looks{0};
  std::thread reader([&] {
    while (!stop) {
      const ZoneSnapshot* zone = slot.current();
      if (zone && zone_of(*zone, "web")) ++looks;
    }
  });
  auto publish = [&] {
    auto previous = std::make_shared<const ZoneSnapshot>(some_world());
    for (int i = 0; i < 500; ++i) {
      World next = some_world();
      next.networks[0].apps[0].machines[0].process_group = std::to_string(i);
      auto snapshot = std::make_shared<const ZoneSnapshot>(std::move(next), previous.get());
      slot.publish(snapshot);
      previous = std::move(snapshot);
    }
  };
  std::thread one(publish), two(publish);
  one.join();
  two.join();
  auto last = std::make_shared<const ZoneSnapshot>(some_world());
  slot.publish(last);
  while (looks == 0) std::this_thread::yield();
  stop = true;
  reader.join();
  CHECK(slot.current() == last.get());
}
