#include "flylocal/report/name_explanation.hpp"

#include <catch2/catch.hpp>

#include "dns/zone.hpp"

using namespace flylocal::report;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kFirst = "3d8d413b29d089";
constexpr const char* kSecond = "683d314fdd4d68";

auto address(const char* text) { return boost::asio::ip::make_address_v6(text); }

/// App web with a machine in each of two regions, a worker that is stopped, the empty app idle, and far in another network.
NameWorld world() {
  NameWorld world;
  world.asker = "web";
  world.network = "personal/default";
  NameWorld::App web{"web", "personal/default", {}, {}};
  web.machines.push_back({kFirst, "ams", "app", address("fdaa:0:18::1:2"), true, "started", {{"fly_process_group", "app"}, {"role", "Primary"}}});
  web.machines.push_back({kSecond, "iad", "app", address("fdaa:0:18::2:2"), true, "started", {{"fly_process_group", "app"}}});
  web.machines.push_back({"568323e9b54dd8", "ams", "worker", address("fdaa:0:18::3:2"), false, "stopped", {{"fly_process_group", "worker"}}});
  NameWorld::App idle{"idle", "personal/default", {}, {address("fdaa:0:18:0:1::1")}};
  idle.machines.push_back({"1234567890abcd", "ams", "app", address("fdaa:0:18::4:2"), false, "stopped", {}});
  NameWorld::App far{"far", "personal/other", {}, {}};
  far.machines.push_back({"abcdabcdabcdab", "ams", "app", address("fdaa:0:19::1:2"), true, "started", {}});
  world.apps = {web, idle, {"none", "personal/default", {}, {}}, far};
  world.upstreams = {"192.0.2.53"};
  return world;
}

NameExplanation explain(std::string_view name) { return explain_name(name, world()); }

/// The code, and that everything is said that has to be.
std::string code_of(std::string_view name, const NameWorld& of = world()) {
  const NameExplanation one = explain_name(name, of);
  INFO(name);
  CHECK_FALSE(one.title.empty());
  CHECK_FALSE(one.found.empty());
  CHECK_FALSE(one.on_fly.empty());
  return one.code;
}

std::vector<std::string> machines_of(const NameExplanation& one) {
  std::vector<std::string> ids;
  for (const NameTarget& target : one.targets) ids.push_back(target.machine);
  return ids;
}

}  // namespace

TEST_CASE("a name with addresses: which machines it leads to") {
  const auto one = explain("Web.Internal.");
  CHECK(one.name == "web.internal");
  CHECK(one.code == "resolves");
  CHECK(one.resolves == true);
  REQUIRE(one.targets.size() == 2);
  CHECK(one.targets[0].address == "fdaa:0:18::1:2");
  CHECK(one.targets[0].machine == kFirst);
  CHECK(one.targets[1].region == "iad");
  CHECK_THAT(one.found, Contains("1 is not started"));
  CHECK(machines_of(explain("global.web.internal")).size() == 2);
  CHECK(machines_of(explain("iad.web.internal")) == std::vector<std::string>{kSecond});
  CHECK(machines_of(explain("app.process.web.internal")).size() == 2);
  CHECK(machines_of(explain("3d8d413b29d089.vm.web.internal")) == std::vector<std::string>{kFirst});
  CHECK(machines_of(explain("primary.role.kv._metadata.web.internal")) == std::vector<std::string>{kFirst});
}

TEST_CASE("the nearest machines") {
  const auto one = explain("top1.nearest.of.web.internal");
  CHECK(one.resolves == true);
  CHECK_THAT(one.title, Contains("the 1 nearest"));
  CHECK_THAT(explain("top9.nearest.of.web.internal").title, Contains("all machines, nearest first"));
  CHECK(code_of("top99999999999999999999.nearest.of.web.internal") == "resolves");
  NameWorld of = world();
  of.ipv4_askers.push_back({"web", kSecond, "top1.nearest.of.web.internal", "ioredis: family: 0"});
  CHECK_THAT(explain_name("top1.nearest.of.web.internal", of).title, Contains("asked for IPv4 ones only"));
  for (const char* name : {"top0.nearest.of.web.internal", "top01.nearest.of.web.internal", "top.nearest.of.web.internal", "topx.nearest.of.web.internal"}) CHECK(code_of(name) == "unknown-form");
}

TEST_CASE("no such app: the nearest spelling, and what people write instead") {
  const auto one = explain("wbe.internal");
  CHECK(one.code == "no-such-app");
  CHECK(one.resolves == false);
  CHECK_THAT(one.fix, Contains("web.internal"));
  CHECK_THAT(one.found, Contains("NXDOMAIN"));
  CHECK_THAT(explain("iad.wbe.internal").fix, Contains("iad.web.internal"));
  CHECK_THAT(explain("web.iad.internal").fix, Contains("iad.web.internal"));
  CHECK_THAT(explain("3d8d413b29d089.internal").fix, Contains("3d8d413b29d089.vm.web.internal"));
  CHECK_THAT(explain("worker.internal").fix, Contains("worker.process.web.internal"));
  CHECK_THAT(explain("something-else.internal").fix, Contains("flylocal up DIR DIR2"));
}

TEST_CASE("an app in another network") {
  const auto one = explain("far.internal");
  CHECK(one.code == "other-network");
  CHECK(one.resolves == false);
  CHECK_THAT(one.title, Contains("personal/other") && Contains("personal/default"));
  CHECK_THAT(one.fix, Contains("explain dns far.internal -a far"));
  NameWorld other = world();
  other.asker = "far";
  other.network = "personal/other";
  CHECK(code_of("far.internal", other) == "resolves");
  CHECK(code_of("web.internal", other) == "other-network");
}

TEST_CASE("all machines stopped: Flycast, which starts them") {
  const auto one = explain("idle.internal");
  CHECK(one.code == "all-stopped");
  CHECK(one.resolves == false);
  CHECK(one.targets.empty());
  CHECK_THAT(one.found, Contains("NOERROR") && Contains("1234567890abcd is stopped"));
  CHECK_THAT(one.fix, Contains("Use idle.flycast") && Contains("flylocal machine start 1234567890abcd"));
  const auto worker = explain("worker.process.web.internal");
  CHECK(worker.code == "all-stopped");
  // Without a Flycast address that is what has to be made first.
  CHECK_THAT(worker.fix, Contains("fly ips allocate-v6 --private"));
  CHECK(code_of("568323e9b54dd8.vm.web.internal") == "machine-stopped");
  CHECK(code_of("none.internal") == "no-machines");
}

TEST_CASE("no machine there: which there are") {
  const auto region = explain("syd.web.internal");
  CHECK(region.code == "none-in-region");
  CHECK_THAT(region.found, Contains("ams and iad") && Contains("NOERROR"));
  const auto group = explain("wroker.process.web.internal");
  CHECK(group.code == "none-in-group");
  CHECK_THAT(group.found, Contains("app and worker"));
  CHECK_THAT(group.fix, Contains("worker.process.web.internal"));
  const auto metadata = explain("replica.role.kv._metadata.web.internal");
  CHECK(metadata.code == "none-with-metadata");
  CHECK_THAT(metadata.found, Contains("Primary"));
  CHECK_THAT(explain("x.rule.kv._metadata.web.internal").found, Contains("fly_process_group and role"));
  const auto machine = explain("3d8d413b29d088.vm.web.internal");
  CHECK(machine.code == "no-such-machine");
  CHECK_THAT(machine.fix, Contains("3d8d413b29d089.vm.web.internal"));
}

TEST_CASE("a machine that asked for IPv4 addresses only, with the fix for its program") {
  NameWorld of = world();
  of.ipv4_askers.push_back({"web", kSecond, "web.internal", "ioredis: family: 0"});
  const auto one = explain_name("web.internal", of);
  CHECK(one.code == "asks-ipv4-only");
  CHECK(one.resolves == true);
  CHECK(one.targets.size() == 2);
  CHECK_THAT(one.title, Contains(kSecond));
  CHECK(one.fix == "web: ioredis: family: 0");
  CHECK(explain_name("iad.web.internal", of).code == "resolves");
}

TEST_CASE("names that have text") {
  for (const char* name : {"vms.web.internal", "all.vms.web.internal", "regions.web.internal", "all.regions.web.internal", "_apps.internal", "_peer.internal",
                           "_instances.internal", "all._instances.internal"}) {
    CHECK(code_of(name) == "text-name");
    CHECK_THAT(explain(name).fix, Contains(std::string("flylocal dig ") + name + " TXT"));
    CHECK(explain(name).resolves == false);
  }
}

TEST_CASE("a name without .internal") {
  NameWorld of = world();
  of.search_domains = {"corp.example"};
  const auto one = explain_name("web", of);
  CHECK(one.code == "without-internal");
  CHECK_THAT(one.fix, Contains("web.internal"));
  CHECK_THAT(one.found, Contains("corp.example"));
  CHECK_THAT(explain("worker.process.web").fix, Contains("worker.process.web.internal"));
  CHECK_THAT(explain("wbe").fix, Contains("web.internal"));
  CHECK_THAT(explain("ams.web").fix, Contains("ams.web.internal"));
  CHECK_THAT(explain("syd.web").fix, Contains("syd.web.internal"));
}

TEST_CASE("a domain of the world whose top has an app's name") {
  NameWorld of = world();
  of.apps.push_back({"dev", "personal/default", {}, {}});
  for (const char* name : {"example.dev", "www.example.dev", "api.dev", "kv._metadata.dev"}) {
    CHECK(code_of(name, of) == "outside");
    CHECK_FALSE(explain_name(name, of).resolves.has_value());
  }
  CHECK(code_of("worker.process.dev", of) == "without-internal");
}

TEST_CASE("names that begin with _") {
  CHECK(code_of("_api.internal") == "not-offered");
  NameWorld of = world();
  of.api = address("fdaa::3");
  of.peers.push_back({"laptop", address("fdaa:0:18:a7b:d6b:0:a:2")});
  CHECK(explain_name("_api.internal", of).targets.at(0).address == "fdaa::3");
  CHECK_THAT(explain_name("_api.internal", of).found, Contains("nobody listens on its port 4280"));
  CHECK_THAT(explain_name("_api.internal", of).fix, Contains("control.sock"));
  CHECK(explain_name("laptop._peer.internal", of).targets.at(0).address == "fdaa:0:18:a7b:d6b:0:a:2");
  const auto none = explain_name("phone._peer.internal", of);
  CHECK(none.code == "no-such-peer");
  CHECK_THAT(none.found, Contains("laptop"));
  CHECK(code_of("_nothing.internal") == "unknown-form");
}

TEST_CASE("forms that no name has") {
  CHECK(code_of("internal") == "apex");
  CHECK(code_of("api.web.internal") == "none-in-region");  // three letters are a region
  CHECK_THAT(explain("app.web.internal").fix, Contains("Did you mean app.process.web.internal?"));
  CHECK_THAT(explain("api.web.internal").fix, !Contains("process") && Contains("--region api -a web"));
  const auto subdomain = explain("admin.web.internal");
  CHECK(subdomain.code == "unknown-form");
  CHECK_THAT(subdomain.found, Contains("NXDOMAIN") && Contains("no subdomains"));
  CHECK_THAT(explain("worker.web.internal").fix, Contains("worker.process.web.internal"));
  CHECK_THAT(explain("683d314fdd4d68.web.internal").fix, Contains("683d314fdd4d68.vm.web.internal"));
  CHECK(code_of("process.web.internal") == "unknown-form");
  CHECK_THAT(explain("process.web.internal").found, Contains("NOERROR"));
  CHECK_THAT(explain("all.web.internal").title, Contains("half of one"));
  CHECK_THAT(explain("role.kv._metadata.web.internal").title, Contains("half of one"));
}

TEST_CASE("Flycast names") {
  const auto one = explain("idle.flycast");
  CHECK(one.code == "resolves");
  CHECK(one.targets.at(0).address == "fdaa:0:18:0:1::1");
  CHECK(code_of("web.flycast") == "no-flycast-address");
  CHECK(code_of("wbe.flycast") == "no-such-app");
  CHECK_THAT(explain("wbe.flycast").fix, Contains("web.flycast"));
  CHECK(code_of("www.idle.flycast") == "unknown-form");
  CHECK_THAT(explain("www.idle.flycast").fix, Contains("idle.flycast"));
  CHECK(code_of("flycast") == "apex");
  // What has no proxy behind it yet is not told to have one.
  CHECK_THAT(one.found, Contains("Nobody listens there yet"));
}

TEST_CASE("a Flycast address is of its app's network") {
  NameWorld of = world();
  of.apps.back().flycast = {address("fdaa:0:19:0:1::2")};
  const auto one = explain_name("far.flycast", of);
  CHECK(one.code == "other-network");
  CHECK(one.resolves == false);
  CHECK(one.targets.empty());
  CHECK_THAT(one.fix, Contains("flylocal explain dns far.flycast -a far"));
  of.asker = "far";
  of.network = "personal/other";
  CHECK(explain_name("far.flycast", of).targets.at(0).address == "fdaa:0:19:0:1::2");
}

TEST_CASE("public names") {
  NameWorld of = world();
  of.public_hosts.push_back({"WWW.example.com", {boost::asio::ip::make_address("172.16.0.1")}});
  of.public_hosts.push_back({"idle.fly.dev", {}});
  const auto custom = explain_name("www.example.com", of);
  CHECK(custom.code == "resolves");
  CHECK(custom.targets.at(0).address == "172.16.0.1");
  CHECK(explain_name("idle.fly.dev", of).code == "not-published");
  CHECK(explain_name("idle.fly.dev", of).resolves == false);
  // Below the app's public name there are names of others, or none.
  CHECK(code_of("web.staging.fly.dev", of) == "outside");
  CHECK_FALSE(explain_name("web.staging.fly.dev", of).resolves.has_value());
}

TEST_CASE("names of the outside: who is asked, and what came of it last") {
  const auto unknown = explain("example.com");
  CHECK(unknown.code == "outside");
  CHECK_FALSE(unknown.resolves.has_value());
  CHECK_THAT(unknown.found, Contains("192.0.2.53"));
  NameWorld of = world();
  of.last_answer = NameWorld::LastAnswer{"A", "NOERROR", {"192.0.2.1"}, std::chrono::seconds(3)};
  CHECK(explain_name("example.com", of).resolves == true);
  CHECK_THAT(explain_name("example.com", of).found, Contains("for A 3 s ago") && Contains("192.0.2.1"));
  of.last_answer = NameWorld::LastAnswer{"A", "SERVFAIL", {}, std::chrono::seconds(3)};
  CHECK(explain_name("example.com", of).resolves == false);
  CHECK_THAT(explain_name("example.com", of).fix, Contains("SERVFAIL"));
  of.upstreams.clear();
  CHECK_THAT(explain_name("example.com", of).fix, Contains("--dns"));
}

TEST_CASE("what is no name") {
  for (const char* text : {"", ".", "web..internal", ".internal", "we b.internal", "web.internal\\300", "\\000"}) CHECK(code_of(text) == "malformed");
  CHECK(code_of(std::string(64, 'a') + ".internal") == "malformed");
  for (const char* url : {"http://web.internal:8080/x", "web.internal:8080", "http://web.internal", "redis://user:pw@web.internal:6379/0", "http://web.internal?a=/b",
                          "https://web.internal#top"}) {
    CHECK(code_of(url) == "malformed");
    CHECK_THAT(explain(url).fix, Contains("The name in it is web.internal:"));
  }
}

TEST_CASE("addresses, reverse names and localhost") {
  CHECK(code_of("fdaa::3") == "address");
  const auto known = explain("fdaa:0:18::1:2");
  CHECK_THAT(known.fix, Contains("3d8d413b29d089.vm.web.internal"));
  CHECK(known.targets.at(0).app == "web");
  CHECK(code_of("127.0.0.1") == "address");
  for (const char* name : {"1.0.0.127.in-addr.arpa", "a.a.d.f.ip6.arpa", "ip6.arpa", "arpa"}) CHECK(code_of(name) == "reverse-name");
  CHECK(code_of("printer.home.arpa") == "outside");  // names of hosts, by RFC 8375
  CHECK(explain("localhost").resolves == true);
  CHECK(code_of("x.localhost") == "resolves");
}

namespace {

/// What the resolver makes of the same world, for one of its networks.
class Resolver {
 public:
  explicit Resolver(const NameWorld& world) : zone_(of_network(world), nullptr, false, nullptr) {}

  /// The addresses of a name in lower case; nothing: NXDOMAIN.
  std::optional<std::size_t> addresses(std::string_view text) const {
    const auto name = flylocal::dns::Name::from_text(text);
    REQUIRE(name.has_value());
    const flylocal::dns::Labels labels(*name);
    flylocal::dns::Finding finding;
    if (text.ends_with("flycast")) zone_.find_flycast(labels, finding);
    else zone_.find_internal(*name, labels, {}, finding);
    if (!finding.exists()) return std::nullopt;
    std::size_t count = 0;
    for (const auto* set : finding.sets())
      if (set->type() == flylocal::dns::RecordType::aaaa) count += set->size();
    return count;
  }

 private:
  static flylocal::dns::Network of_network(const NameWorld& world) {
    using flylocal::dns::MachineState;
    flylocal::dns::Network network;
    network.api = world.api;
    for (const auto& peer : world.peers) network.peers.push_back({peer.name, peer.address});
    for (const auto& app : world.apps) {
      if (app.network != world.network) continue;
      flylocal::dns::App& out = network.apps.emplace_back();
      out.name = app.name;
      out.flycast = app.flycast;
      for (const auto& one : app.machines)
        out.machines.push_back({one.id, one.region, one.process_group, one.six_pn, one.is_started ? MachineState::started : MachineState::not_started, one.metadata});
    }
    return network;
  }

  flylocal::dns::NetworkZone zone_;
};

}  // namespace

TEST_CASE("what is said of the resolver is what it does") {
  NameWorld of = world();
  of.api = address("fdaa::3");
  of.peers.push_back({"laptop", address("fdaa:0:18:a7b:d6b:0:a:2")});
  of.apps.back().flycast = {address("fdaa:0:19:0:1::2")};
  const Resolver resolver(of);
  const char* const below[] = {"", "global.", "ams.", "syd.", "all.", "app.", "worker.", "admin.", "vm.", "process.", "of.", "kv.", "_metadata.", "nearest.of.",
                               "kv._metadata.", "role.kv._metadata.", "a.role.kv._metadata.", "primary.role.kv._metadata.", "b.a.role.kv._metadata.", "vms.", "all.vms.",
                               "regions.", "all.regions.", "www.ams.", "3d8d413b29d089.vm.", "568323e9b54dd8.vm.", "00000000000000.vm.", "web-1.vm.", "3d8d413b29d089.",
                               "worker.process.", "cron.process.", "top1.nearest.of.", "top2.nearest.of.", "top02.nearest.of.", "top0.nearest.of.", "top.nearest.of.",
                               "top99999999999999999999.nearest.of.", "x.nearest.of.", "a.top1.nearest.of."};
  std::vector<std::string> names = {"internal", "_api.internal", "x._api.internal", "_peer.internal", "laptop._peer.internal", "phone._peer.internal", "x.laptop._peer.internal",
                                    "_apps.internal", "all._apps.internal", "_instances.internal", "all._instances.internal", "x._instances.internal", "_x.internal",
                                    "flycast", "web.flycast", "idle.flycast", "none.flycast", "far.flycast", "wbe.flycast", "www.idle.flycast"};
  for (const char* app : {"web", "idle", "none", "far", "wbe"})
    for (const char* form : below) names.push_back(std::string(form) + app + ".internal");
  for (const std::string& name : names) {
    INFO(name);
    const auto one = explain_name(name, of);
    INFO(one.found);
    const auto addresses = resolver.addresses(name);
    CHECK(one.resolves == (addresses.value_or(0) > 0));
    if (one.found.find("NXDOMAIN") != std::string::npos) CHECK_FALSE(addresses.has_value());
    if (one.found.find("NOERROR") != std::string::npos) CHECK(addresses == 0u);
    if (one.resolves == false && !addresses) CHECK_THAT(one.found, Contains("NXDOMAIN"));
    // Of the nearest some are answered, and all are shown.
    if (addresses.value_or(0) > 0 && one.title.find("nearest to the asker") == std::string::npos) CHECK(one.targets.size() == *addresses);
  }
}

TEST_CASE("any text is explained in a sandbox without apps, too") {
  for (const char* name : {"internal", "a.internal", "_api.internal", "x.y.z", "flycast", "a.flycast", "kv._metadata.a.internal", "arpa", "fly.dev", "a.fly.dev"}) CHECK_FALSE(code_of(name, {}).empty());
}
