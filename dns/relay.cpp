#include "dns/relay.hpp"

#include <algorithm>
#include <iterator>

namespace flylocal::dns {
namespace {

// Places in a message (RFC 1035 4.1.1, RFC 6891 6.1.3): RD and TC are in its third octet.
constexpr std::uint8_t kRecursionDesired = 0x01;
constexpr std::uint8_t kTruncated = 0x02;
constexpr std::size_t kAnswerCount = 6;
constexpr std::size_t kAuthorityCount = 8;
constexpr std::size_t kAdditionalCount = 10;
constexpr std::size_t kOptExtendedRcode = 5;  // from the start of an OPT record

}  // namespace

std::size_t size_limit(const Query& query, Transport transport) {
  if (transport == Transport::tcp) return kMaxMessageSize;
  if (!query.edns) return kMinUdpSize;
  return std::clamp<std::size_t>(query.edns->udp_size, kMinUdpSize, kMaxUdpSize);
}

Relayed relay(const Query& query, std::span<const std::uint8_t> reply, Transport transport,
              std::vector<std::uint8_t>& response) {
  auto layout = parse_response(reply);
  if (!layout || layout->truncated || !layout->question || layout->question->name != query.name) {
    write_failure(query, Rcode::server_failure, response);
    return Relayed::failed;
  }
  response.assign(reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(layout->end));
  set_u16(response, 0, query.id);
  response[2] = static_cast<std::uint8_t>((response[2] & ~kRecursionDesired) |
                                          (query.recursion_desired ? kRecursionDesired : 0));
  // 0x20: the asker compares the case, and our upstream may not have kept it. Nothing in front of the
  // question can be pointed at, so it is always written out.
  auto wire = query.name.wire();
  std::copy(wire.begin(), wire.end(), response.begin() + kHeaderSize);

  // RFC 6891 6.1.1: OPT speaks for one hop, and to those only who sent one. It is the last record in
  // practice; elsewhere it stays, as names behind it may be pointed at.
  auto extended_rcode = Rcode::no_error;
  bool has_opt = layout->opt.has_value();
  if (has_opt) extended_rcode = static_cast<Rcode>(reply[layout->opt->begin + kOptExtendedRcode] << 4);
  if (has_opt && layout->opt->end == layout->end) {
    response.resize(layout->opt->begin);
    set_u16(response, kAdditionalCount, static_cast<std::uint16_t>(get_u16(response, kAdditionalCount) - 1));
    has_opt = false;
  }
  bool add_opt = query.edns && !has_opt;
  std::size_t limit = size_limit(query, transport) - (add_opt ? kOptSize : 0);
  auto relayed = Relayed::whole;
  if (response.size() > limit) {
    add_opt = query.edns.has_value();
    limit = size_limit(query, transport) - (add_opt ? kOptSize : 0);
    set_u16(response, kAdditionalCount, 0);
    // RFC 2181 9: additional records that do not fit are left out, and that is no truncation.
    if (layout->additionals_begin <= limit) {
      response.resize(layout->additionals_begin);
    } else {
      relayed = Relayed::truncated;
      auto first_out = std::upper_bound(layout->answer_ends.begin(), layout->answer_ends.end(), limit);
      response.resize(first_out == layout->answer_ends.begin() ? layout->answers_begin : *std::prev(first_out));
      response[2] |= kTruncated;
      set_u16(response, kAnswerCount, static_cast<std::uint16_t>(first_out - layout->answer_ends.begin()));
      set_u16(response, kAuthorityCount, 0);
    }
  }
  if (add_opt) {
    put_opt(response, *query.edns, extended_rcode);
    set_u16(response, kAdditionalCount, static_cast<std::uint16_t>(get_u16(response, kAdditionalCount) + 1));
  }
  return relayed;
}

void write_failure(const Query& query, Rcode rcode, std::vector<std::uint8_t>& response) {
  MessageWriter writer(response, kMinUdpSize);
  writer.start(query, {.response = true, .recursion_available = true});
  writer.question(query);
  writer.finish(rcode);
}

}  // namespace flylocal::dns
