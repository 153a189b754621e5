// The whole path of a query: parse, look up, answer; and of what is not ours: ask upstream, relay the reply.
// Input: one octet that chooses the transport, two that give the length of the query, the query, and then an
// upstream's reply.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "dns/responder.hpp"

using namespace flylocal::dns;

namespace {

constexpr NetworkId kNetwork{0x18};

const ZoneSnapshot& zone() {
  static const ZoneSnapshot snapshot = [] {
    App web{"web", {}}, crowd{"crowd", {}};
    auto address = boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2");
    web.machines.push_back({"3d8d413b29d089", "iad", "app", address, MachineState::started, {}});
    web.machines.push_back({"683d314fdd4d68", "lhr", "worker", address, MachineState::not_started, {}});
    for (int i = 0; i < 100; ++i) {
      crowd.machines.push_back(
          {std::to_string(10000000000000 + i), "iad", "app", address, MachineState::started, {}});
    }
    return ZoneSnapshot({{kNetwork, {web, crowd}}});
  }();
  return snapshot;
}

void require(bool holds) {
  if (!holds) std::abort();
}

/// What has to be true of whatever we send.
void check_response(const Query& query, std::span<const std::uint8_t> response, std::size_t limit) {
  require(response.size() >= kHeaderSize && response.size() <= limit);
  require(get_u16(response, 0) == query.id);
  auto parsed = parse_response(response);
  require(parsed.has_value());
  require(!parsed->question || parsed->question->name == query.name);
  if (!parsed->truncated) require(parsed->end == response.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> input(data, size);
  if (input.size() < 3) return 0;
  auto transport = input[0] & 1 ? Transport::tcp : Transport::udp;
  std::size_t query_size = std::min<std::size_t>(get_u16(input, 1), input.size() - 3);
  auto message = input.subspan(3, query_size);
  auto reply = input.subspan(3 + query_size);
  std::size_t limit = transport == Transport::tcp ? kMaxMessageSize : kMaxUdpSize;

  std::vector<std::uint8_t> response;
  auto outcome = respond(message, &zone(), kNetwork, transport, response);
  if (outcome.kind == Outcome::Kind::drop) return 0;
  if (outcome.kind != Outcome::Kind::forward) {
    check_response(outcome.query, response, limit);
    return 0;
  }

  // What we ask is a well-formed query for the same.
  auto asked = parse_query(write_query(outcome.query, 1));
  require(asked.verdict == ParsedQuery::Verdict::well_formed);
  require(asked.query.name == outcome.query.name && asked.query.type == outcome.query.type);
  relay(outcome.query, reply, transport, response);
  check_response(outcome.query, response, limit);
  return 0;
}
