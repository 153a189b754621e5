#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/responder.hpp"
#include "tests/unit/dns/wire.hpp"

// Worlds for tests of what the DNS says about them, and ways to ask.
namespace zone_world {

using namespace flylocal::dns;
using Kind = Outcome::Kind;
using Texts = std::vector<std::string>;
using boost::asio::ip::make_address_v4;
using boost::asio::ip::make_address_v6;

inline constexpr NetworkId kNetwork{0x18};
inline constexpr NetworkId kOtherNetwork{0x19};
/// An asker that is no machine.
inline const auto kStranger = make_address_v6("fdaa:0:18:a7b:ffff:0:a:2");

inline Machine machine(std::string id, std::string region, std::string group, std::string address,
                       MachineState state = MachineState::started, std::map<std::string, std::string> metadata = {}) {
  return {std::move(id), std::move(region), std::move(group), make_address_v6(address), state, std::move(metadata)};
}

inline App app(std::string name, std::vector<Machine> machines) {
  return {std::move(name), std::move(machines), {}};
}

inline Network network(std::vector<App> apps, NetworkId id = kNetwork) {
  Network made;
  made.id = id;
  made.apps = std::move(apps);
  return made;
}

inline World world(std::vector<Network> networks) {
  World made;
  made.networks = std::move(networks);
  return made;
}

/// `machines` started machines of one app, for answers of any size.
inline App crowd(std::string name, unsigned machines) {
  App made = app(std::move(name), {});
  for (unsigned i = 0; i < machines; ++i) {
    made.machines.push_back(machine(fmt::format("{:014x}", i), "iad", "app", fmt::format("fdaa:0:18::{:x}:2", i)));
  }
  return made;
}

struct Answered {
  Outcome outcome;
  wire::Bytes bytes;
  wire::Message message;
};

/// A snapshot with a responder of its own.
class Asked {
 public:
  explicit Asked(World world) : zone_(std::move(world)) {}

  Outcome respond(const wire::Bytes& query, wire::Bytes& response, Transport transport = Transport::udp,
                  NetworkId network = kNetwork, const boost::asio::ip::address_v6& client = kStranger) {
    return responder_.respond(query, &zone_, network, client, transport, response);
  }
  Answered ask(const wire::Bytes& query, Transport transport = Transport::udp, NetworkId network = kNetwork,
               const boost::asio::ip::address_v6& client = kStranger) {
    Answered answered;
    answered.outcome = respond(query, answered.bytes, transport, network, client);
    REQUIRE(answered.outcome.kind != Kind::drop);
    REQUIRE(answered.outcome.kind != Kind::forward);
    answered.message = wire::decode(answered.bytes);
    return answered;
  }
  Answered ask(std::string_view name, std::uint16_t type) { return ask(wire::query(name, type)); }
  Answered ask_from(std::string_view client, std::string_view name, std::uint16_t type = wire::kAaaa) {
    return ask(wire::query(name, type), Transport::udp, kNetwork, make_address_v6(std::string(client)));
  }
  bool is_forwarded(std::string_view name, std::uint16_t type) {
    wire::Bytes response;
    return respond(wire::query(name, type), response).kind == Kind::forward;
  }

 private:
  ZoneSnapshot zone_;
  Responder responder_;
};

inline std::string address_of(const wire::Record& record) {
  REQUIRE(record.type == wire::kAaaa);
  REQUIRE(record.data.size() == 16);
  boost::asio::ip::address_v6::bytes_type bytes;
  std::copy(record.data.begin(), record.data.end(), bytes.begin());
  return boost::asio::ip::address_v6(bytes).to_string();
}

inline Texts addresses(const wire::Message& message) {
  Texts out;
  for (auto& record : message.answers) out.push_back(address_of(record));
  return out;
}

/// The text of the one TXT record.
inline std::string text(const Answered& answered) {
  REQUIRE(answered.message.answers.size() == 1);
  REQUIRE(answered.message.answers[0].type == wire::kTxt);
  return wire::text(answered.message.answers[0]);
}

/// NOERROR or NXDOMAIN without an answer, with the SOA that RFC 2308 3 asks for, owned by `apex`.
inline void check_negative(const Answered& a, unsigned rcode, std::string_view apex = "internal.") {
  CHECK(a.message.rcode == rcode);
  CHECK(a.message.authoritative);
  CHECK(a.message.answers.empty());
  REQUIRE(a.message.authorities.size() == 1);
  CHECK(a.message.authorities[0].type == wire::kSoa);
  CHECK(a.message.authorities[0].owner == apex);
  CHECK(a.message.authorities[0].ttl == 5);
  CHECK(a.outcome.kind == (rcode == 0 ? Kind::no_data : Kind::name_error));
}
inline void check_no_data(const Answered& a, std::string_view apex = "internal.") { check_negative(a, 0, apex); }
inline void check_no_name(const Answered& a, std::string_view apex = "internal.") { check_negative(a, 3, apex); }

}  // namespace zone_world
