#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "proxy/balancer.hpp"

using namespace flylocal::proxy;

namespace {

const std::vector<std::string> kRegions{"ams", "fra", "iad", "syd", "xxx"};

/// xxx is not in the table; fra and iad are equally far from syd.
const RegionDistances kDistances{{"ams", {{"ams", 0}, {"fra", 364}, {"iad", 6200}, {"syd", 16600}}},
                                 {"fra", {{"ams", 364}, {"iad", 6500}, {"syd", 16500}}},
                                 {"iad", {{"ams", 6200}, {"fra", 6500}, {"syd", 15700}}},
                                 {"syd", {{"ams", 16600}, {"fra", 16000}, {"iad", 16000}}}};

struct World {
  Service service;
  Tried tried;
  std::string edge;
};

World random_world(RandomBits& random) {
  World world;
  world.edge = kRegions[random() % kRegions.size()];
  world.service.concurrency.soft_limit = 1 + random() % 4;
  if (random() % 4 != 0) {
    world.service.concurrency.hard_limit = world.service.concurrency.soft_limit + random() % 3;
  }
  // Mostly sound machines in one world, mostly broken ones in another.
  std::uint64_t trouble = 1 + random() % 6;
  std::size_t machines = random() % 7;
  for (std::size_t i = 0; i < machines; ++i) {
    Upstream upstream;
    upstream.region = kRegions[random() % kRegions.size()];
    upstream.healthy = random() % trouble == 0;
    upstream.cordoned = random() % 6 == 0;
    upstream.load->current = static_cast<std::uint32_t>(random() % 7);
    world.service.upstreams.push_back(std::move(upstream));
    if (random() % 2 == 0) world.tried.push_back(random() % 3 == 0);
  }
  if (world.tried.size() > machines) world.tried.resize(machines);
  return world;
}

std::uint32_t distance(const std::string& from, const std::string& to) {
  if (from == to) return 0;
  return kDistances.contains(from) && kDistances.at(from).contains(to) ? kDistances.at(from).at(to) : 1'000'000;
}

/// The rules, one after another, each as a filter over all machines.
struct Expected {
  std::set<const Upstream*> equals;
  Choice::Reason reason = Choice::Reason::none_offered;
  bool any_below_soft = false;
};

Expected expected(const World& world) {
  using Reason = Choice::Reason;
  struct Seen {
    const Upstream* upstream;
    std::uint32_t load;
    bool tried;
  };
  std::vector<Seen> routable;
  Expected result;
  bool some_cordoned = false;
  bool some_unhealthy = false;
  for (std::size_t i = 0; i < world.service.upstreams.size(); ++i) {
    const Upstream& upstream = world.service.upstreams[i];
    if (upstream.cordoned) some_cordoned = true;
    if (!upstream.cordoned && !upstream.healthy) some_unhealthy = true;
    if (upstream.healthy && !upstream.cordoned) {
      routable.push_back({&upstream, upstream.load->current, i < world.tried.size() && world.tried[i]});
    }
  }
  const Concurrency& limits = world.service.concurrency;
  auto is_full = [&](const Seen& seen) { return limits.hard_limit && seen.load >= *limits.hard_limit; };
  auto is_below = [&](const Seen& seen) { return seen.load < limits.soft_limit && !is_full(seen); };
  result.any_below_soft = std::any_of(routable.begin(), routable.end(), is_below);

  auto candidates = routable;
  std::erase_if(candidates, [](const Seen& seen) { return seen.tried; });
  bool some_full = std::any_of(candidates.begin(), candidates.end(), is_full);
  std::erase_if(candidates, is_full);
  if (candidates.empty()) {
    bool some_tried = std::any_of(routable.begin(), routable.end(), [](const Seen& seen) { return seen.tried; });
    result.reason = some_full        ? Reason::all_full
                    : some_unhealthy ? Reason::all_unhealthy
                    : some_cordoned  ? Reason::all_cordoned
                    : some_tried     ? Reason::all_tried
                                     : Reason::none_offered;
    return result;
  }
  std::map<std::uint32_t, std::vector<Seen>> by_distance;
  for (const Seen& seen : candidates) by_distance[distance(world.edge, seen.upstream->region)].push_back(seen);
  auto nearest = by_distance.begin()->second;
  if (std::any_of(nearest.begin(), nearest.end(), is_below)) std::erase_if(nearest, std::not_fn(is_below));
  for (const Seen& seen : nearest) result.equals.insert(seen.upstream);
  result.reason = Reason::chosen;
  return result;
}

}  // namespace

TEST_CASE("in thousands of random worlds the choice is one that the rules allow, and each such one comes") {
  RandomBits random(20260701);
  std::map<Choice::Reason, int> reasons;
  std::map<std::size_t, int> sizes;
  for (int i = 0; i < 20000; ++i) {
    CAPTURE(i);
    World world = random_world(random);
    Expected want = expected(world);
    std::set<const Upstream*> chosen;
    // Six equals and a hundred draws: one of them stays out in one of ten million worlds.
    for (int draw = 0; draw < (want.equals.size() > 1 ? 100 : 2); ++draw) {
      Choice choice = choose_machine(world.service, world.tried, world.edge, &kDistances, random);
      REQUIRE(choice.reason == want.reason);
      REQUIRE(choice.any_below_soft == want.any_below_soft);
      REQUIRE((choice.upstream != nullptr) == (want.reason == Choice::Reason::chosen));
      if (!choice.upstream) break;
      REQUIRE(choice.load == load_class(choice.upstream->load->current, world.service.concurrency));
      chosen.insert(choice.upstream);
    }
    REQUIRE(chosen == want.equals);
    ++reasons[want.reason];
    ++sizes[want.equals.size()];
  }
  // The worlds were different enough to say something.
  CHECK(reasons.size() == 6);
  for (auto [reason, times] : reasons) CHECK(times > 100);
  for (std::size_t size : {0, 1, 2, 3}) CHECK(sizes[size] > 50);
}

TEST_CASE("equals get equal shares") {
  Service service;
  service.upstreams.resize(4);
  for (std::uint32_t i = 0; i < 4; ++i) service.upstreams[i].load->current = i;  // all below the soft limit of 20
  RandomBits random(5);
  std::map<const Upstream*, int> times;
  for (int i = 0; i < 8000; ++i) ++times[choose_machine(service, {}, "ams", nullptr, random).upstream];
  REQUIRE(times.size() == 4);
  // Five standard deviations of a binomial distribution.
  for (auto [upstream, count] : times) CHECK(std::abs(count - 2000) < 5 * 39);
}

TEST_CASE("a soft limit does not send a request to another region, but a hard limit does") {
  Service service;
  service.concurrency = {.soft_limit = 2, .hard_limit = 4};
  service.upstreams.resize(2);
  service.upstreams[0].region = "ams";
  service.upstreams[1].region = "fra";
  auto& load = service.upstreams[0].load->current;
  RandomBits random(1);
  auto region = [&] { return choose_machine(service, {}, "ams", &kDistances, random).upstream->region; };
  load = 3;
  CHECK(region() == "ams");
  CHECK(choose_machine(service, {}, "ams", &kDistances, random).load == LoadClass::soft_reached);
  CHECK(choose_machine(service, {}, "ams", &kDistances, random).any_below_soft);
  load = 4;
  CHECK(region() == "fra");
  service.upstreams[1].healthy = false;
  CHECK(choose_machine(service, {}, "ams", &kDistances, random).reason == Choice::Reason::all_full);
  CHECK(describe(choose_machine(service, {}, "ams", &kDistances, random)) ==
        "every healthy machine is at its hard limit");
}

TEST_CASE("regions that the table does not know are far, but not from themselves") {
  CHECK(region_distance(&kDistances, "ams", "fra") == 364);
  CHECK(region_distance(&kDistances, "ams", "xxx") == kUnknownDistance);
  CHECK(region_distance(&kDistances, "xxx", "ams") == kUnknownDistance);
  CHECK(region_distance(&kDistances, "xxx", "xxx") == 0);
  CHECK(region_distance(nullptr, "ams", "fra") == kUnknownDistance);
}

TEST_CASE("the nearest sleeper is woken, any of several") {
  std::vector<Sleeper> sleepers{{"s1", "syd"}, {"s2", "fra"}, {"s3", "iad"}, {"s4", "fra"}};
  RandomBits random(3);
  std::set<std::string> chosen;
  for (int i = 0; i < 100; ++i) chosen.insert(choose_sleeper(sleepers, "ams", &kDistances, random)->machine_id);
  CHECK(chosen == std::set<std::string>{"s2", "s4"});
  CHECK(choose_sleeper(sleepers, "iad", &kDistances, random)->machine_id == "s3");
  CHECK(choose_sleeper({}, "ams", &kDistances, random) == nullptr);
}
