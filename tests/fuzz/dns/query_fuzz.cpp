// The whole path of a query: parse, look up, answer; and of what is not ours: ask upstream, relay the reply. Bit 0 of the
// options chooses TCP, bit 1 random order and reverse names, bit 2 a machine as the asker instead of somebody outside.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/responder.hpp"
#include "tests/fuzz/dns/world.hpp"

using namespace flylocal::dns;
using flylocal::dns::fuzz::require;

namespace {

constexpr std::uint8_t kTcp = 1, kRandom = 2, kMachineAsks = 4;
// In the third octet of a header (RFC 1035 4.1.1).
constexpr std::uint8_t kResponse = 0x80, kOpcodeAndRecursionDesired = 0x79;

const ZoneSnapshot& zone(bool random) {
  static const ZoneSnapshot fixed_order{fuzz::world()};
  static const ZoneSnapshot random_order{[] {
    World world = fuzz::world();
    world.order = AnswerOrder::random;
    world.reverse_names = true;
    return world;
  }()};
  return random ? random_order : fixed_order;
}

/// RFC 6891 6.2.3 and 6.2.5, and what never has to be fragmented. Said once more, so that the server's own is held to it.
std::size_t limit_of(const Query& query, Transport transport) {
  if (transport == Transport::tcp) return kMaxMessageSize;
  return query.edns ? std::clamp<std::size_t>(query.edns->udp_size, kMinUdpSize, kMaxUdpSize) : kMinUdpSize;
}

/// What has to be true of whatever we send; the response, read.
Response check_response(const Query& query, std::span<const std::uint8_t> response, Transport transport) {
  require(response.size() >= kHeaderSize && response.size() <= limit_of(query, transport));
  const auto parsed = parse_response(response);
  require(parsed.has_value());
  require(parsed->id == query.id);
  if (parsed->question) {
    // 0x20: the name comes back as it was spelled.
    require(parsed->question->name.wire() == query.name.wire());
  }
  if (!parsed->truncated) require(parsed->end == response.size());
  return *parsed;
}

/// The response code with the bits that the OPT record holds.
Rcode whole_rcode(const Response& parsed, std::span<const std::uint8_t> response) {
  constexpr std::size_t kHighBits = 5;
  const auto low = static_cast<std::uint16_t>(parsed.rcode);
  const unsigned high = parsed.opt ? response[parsed.opt->begin + kHighBits] : 0U;
  return static_cast<Rcode>(high << 4 | low);
}

void check_answer(const Outcome& outcome, const Response& parsed, std::span<const std::uint8_t> response, Transport transport) {
  const Rcode rcode = whole_rcode(parsed, response);
  require(parsed.truncated == outcome.truncated);
  require(transport == Transport::udp || !parsed.truncated);
  switch (outcome.kind) {
    case Outcome::Kind::answered:
      require(rcode == Rcode::no_error && (parsed.truncated || !parsed.answer_ends.empty()));
      break;
    case Outcome::Kind::no_data:
      require(rcode == Rcode::no_error && parsed.answer_ends.empty() && !parsed.truncated);
      break;
    case Outcome::Kind::name_error:
      require(rcode == Rcode::name_error && parsed.answer_ends.empty() && !parsed.truncated);
      break;
    case Outcome::Kind::refused:
      require(rcode == Rcode::format_error || rcode == Rcode::not_implemented || rcode == Rcode::refused || rcode == Rcode::bad_version);
      require(parsed.answer_ends.empty());
      break;
    default:
      require(false);  // there is a zone for the network
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::split({data, size});
  if (!input) return 0;
  const auto transport = input->options & kTcp ? Transport::tcp : Transport::udp;
  const ZoneSnapshot& snapshot = zone(input->options & kRandom);

  const auto client = input->options & kMachineAsks ? fuzz::machine_address() : boost::asio::ip::address_v6{};

  static Responder responder;  // as a server's: its memory is used again
  std::vector<std::uint8_t> response;
  const Outcome outcome = responder.respond(input->query, &snapshot, fuzz::kNetwork, client, transport, response);
  // Only what is no query goes unanswered, and that always.
  const bool is_query = input->query.size() >= kHeaderSize && !(input->query[2] & kResponse);
  require((outcome.kind != Outcome::Kind::drop) == is_query);
  if (!is_query) return 0;

  if (outcome.kind != Outcome::Kind::forward) {
    const Response parsed = check_response(outcome.query, response, transport);
    if (parsed.question) require(parsed.question->type == outcome.query.type && parsed.question->record_class == outcome.query.record_class);
    require(((response[2] ^ input->query[2]) & kOpcodeAndRecursionDesired) == 0);
    check_answer(outcome, parsed, response, transport);
    // The other transport tells the same, as far as it fits.
    const auto other = transport == Transport::udp ? Transport::tcp : Transport::udp;
    std::vector<std::uint8_t> again;
    const Outcome same = responder.respond(input->query, &snapshot, fuzz::kNetwork, client, other, again);
    require(same.kind == outcome.kind);
    const Response parsed_again = check_response(same.query, again, other);
    if (!parsed.truncated && !parsed_again.truncated) require(parsed.answer_ends.size() == parsed_again.answer_ends.size());
    return 0;
  }

  // What we ask is a well-formed query for the same.
  const auto asked = parse_query(write_query(outcome.query, 1));
  require(asked.verdict == ParsedQuery::Verdict::well_formed);
  require(asked.query.name == outcome.query.name && asked.query.type == outcome.query.type);
  relay(outcome.query, input->reply, transport, response);
  check_response(outcome.query, response, transport);
  return 0;
}
