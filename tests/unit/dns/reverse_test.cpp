#include <catch2/catch.hpp>

#include "tests/unit/dns/wire.hpp"
#include "tests/unit/dns/zone_world.hpp"

// The reverse zone of fdaa::/16 (RFC 3596 2.5).

using namespace zone_world;
using wire::operator+;

namespace {

constexpr std::uint16_t kPtr = 12;
constexpr std::string_view kApex = "a.a.d.f.ip6.arpa.";

/// "fdaa::2" as "2.0.0. ... .a.a.d.f.ip6.arpa".
std::string reverse(std::string_view address) {
  std::string out;
  const auto octets = make_address_v6(std::string(address)).to_bytes();
  for (std::size_t i = octets.size(); i-- > 0;) out += fmt::format("{:x}.{:x}.", octets[i] & 15, octets[i] >> 4);
  return out + "ip6.arpa";
}

std::string target(const wire::Record& record) {
  wire::Reader in(record.data);
  return in.name();
}

World some_world(bool reverse_names) {
  World made = world({network({app("Web", {machine("3d8d413b29d089", "iad", "app", "fdaa:0:18:a7b::1:2"),
                                           machine("683d314fdd4d68", "iad", "app", "fdaa:0:18:a7b::2:2", MachineState::not_started)})}),
                      network({}, kOtherNetwork)});
  made.networks[0].apps[0].flycast = {make_address_v6("fdaa:0:18:0:1::11")};
  made.networks[0].peers = {{"laptop", make_address_v6("fdaa:0:18:a7b:0:a:0:2")}};
  made.reverse_names = reverse_names;
  return made;
}

}  // namespace

TEST_CASE("as on the platform 6PN addresses have no names, and the world outside is never asked for them") {
  Asked asked(some_world(false));
  for (auto address : {"fdaa:0:18:a7b::1:2", "fdaa::3", "fdaa:0:18:0:1::11", "fdaa:ffff::1"}) {
    check_no_name(asked.ask(reverse(address), kPtr), kApex);
    check_no_name(asked.ask(reverse(address), wire::kAny), kApex);
  }
  check_no_name(asked.ask("8.1.0.0.0.0.0.0.a.a.d.f.ip6.arpa", wire::kNs), kApex);
  check_no_name(asked.ask("lb._dns-sd._udp.a.a.d.f.ip6.arpa", kPtr), kApex);
  check_no_data(asked.ask("a.a.d.f.ip6.arpa", kPtr), kApex);
  CHECK(asked.ask("A.a.D.f.IP6.arpa", wire::kSoa).message.answers.size() == 1);
}

TEST_CASE("the rest of the reverse tree is forwarded") {
  Asked asked(some_world(true));
  for (auto name : {"a.d.f.ip6.arpa", "ip6.arpa", "arpa", "b.a.d.f.ip6.arpa", "1.2.0.192.in-addr.arpa", "a.a.d.f.ip6.example",
                    "xa.a.d.f.ip6.arpa", "a.a.d.f.ip4.arpa"}) {
    INFO(name);
    CHECK(asked.is_forwarded(name, kPtr));
  }
  // The octets of the apex that begin inside a label are not the apex.
  wire::Bytes response;
  const auto query = wire::header({}) + wire::Bytes{3, 'x', 1, 'a', 1, 'a', 1, 'd', 1, 'f'} + wire::question("ip6.arpa", kPtr);
  CHECK(asked.respond(query, response).kind == Kind::forward);
}

TEST_CASE("with reverse names an address leads to the name that leads back to it") {
  Asked asked(some_world(true));
  struct Row {
    std::string address, name;
  };
  for (auto& [address, name] : std::vector<Row>{{"fdaa:0:18:a7b::1:2", "3d8d413b29d089.vm.web.internal."},
                                                {"fdaa:0:18:0:1::11", "web.flycast."},
                                                {"fdaa:0:18:a7b:0:a:0:2", "laptop._peer.internal."}}) {
    INFO(address);
    const auto a = asked.ask(reverse(address), kPtr);
    REQUIRE(a.message.answers.size() == 1);
    CHECK(a.message.answers[0].type == kPtr);
    CHECK(a.message.answers[0].ttl == 5);
    CHECK(a.message.authoritative);
    CHECK(target(a.message.answers[0]) == name);
    CHECK(addresses(asked.ask(name.substr(0, name.size() - 1), wire::kAaaa).message) == Texts{address});
    // Other types of the same name (RFC 2308 2.2).
    check_no_data(asked.ask(reverse(address), wire::kAaaa), kApex);
  }
}

TEST_CASE("a machine that is not started has no name, as its name has no address") {
  Asked asked(some_world(true));
  check_no_data(asked.ask(reverse("fdaa:0:18:a7b::2:2"), kPtr), kApex);
}

TEST_CASE("with reverse names what leads to a name exists, and nothing else (RFC 8020 2)") {
  Asked asked(some_world(true));
  const auto full = reverse("fdaa:0:18:a7b::1:2");
  for (std::size_t at = 2; at < full.size() - std::string_view("a.a.d.f.ip6.arpa").size(); at += 2) {
    INFO(full.substr(at));
    check_no_data(asked.ask(full.substr(at), kPtr), kApex);
  }
  check_no_name(asked.ask(reverse("fdaa:0:18:a7b::3:2"), kPtr), kApex);
  check_no_name(asked.ask("9.a.a.d.f.ip6.arpa", kPtr), kApex);
  check_no_name(asked.ask("g." + full.substr(2), kPtr), kApex);
  check_no_name(asked.ask("10." + full.substr(2), kPtr), kApex);
  check_no_name(asked.ask("0." + full, kPtr), kApex);
}

TEST_CASE("a network does not tell the names of another one") {
  Asked asked(some_world(true));
  const auto query = wire::query(reverse("fdaa:0:18:a7b::1:2"), kPtr);
  check_no_name(asked.ask(query, Transport::udp, kOtherNetwork), kApex);
}
