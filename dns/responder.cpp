#include "dns/responder.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace flylocal::dns {
namespace {

using Section = MessageWriter::Section;

// Places in a message (RFC 1035 4.1.1, RFC 6891 6.1.3): RD and TC are in its third octet.
constexpr std::uint8_t kRecursionDesired = 0x01;
constexpr std::uint8_t kTruncated = 0x02;
constexpr std::size_t kAnswerCount = 6;
constexpr std::size_t kAuthorityCount = 8;
constexpr std::size_t kAdditionalCount = 10;
constexpr std::size_t kOptExtendedRcode = 5;  // from the start of an OPT record

/// How long a response may be (RFC 6891 6.2.3: sizes below 512 count as 512).
std::size_t size_limit(const Query& query, Transport transport) {
  if (transport == Transport::tcp) return kMaxMessageSize;
  if (!query.edns) return kMinUdpSize;
  return std::clamp<std::size_t>(query.edns->udp_size, kMinUdpSize, kMaxUdpSize);
}

/// RDATA of a TXT record: character-strings of at most 255 octets, at least one (RFC 1035 3.3.14).
std::vector<std::uint8_t> text_data(std::string_view text) {
  constexpr std::size_t kMaxString = 255;
  std::vector<std::uint8_t> data;
  data.reserve(text.size() + text.size() / kMaxString + 1);
  do {
    auto part = text.substr(0, kMaxString);
    data.push_back(static_cast<std::uint8_t>(part.size()));
    data.insert(data.end(), part.begin(), part.end());
    text.remove_prefix(part.size());
  } while (!text.empty());
  return data;
}

/// RDATA of the SOA of the zone whose name stands at `apex` of the message. There are no secondaries, so its
/// numbers are formal, but for the last: how long a negative answer may be kept (RFC 2308 4).
std::vector<std::uint8_t> soa_data(std::size_t apex) {
  std::vector<std::uint8_t> data;
  auto put_apex = [&] { put_u16(data, static_cast<std::uint16_t>(0xC000 | apex)); };
  put_apex();  // MNAME
  constexpr std::string_view kMailbox = "\12hostmaster";
  data.insert(data.end(), kMailbox.begin(), kMailbox.end());
  put_apex();
  constexpr std::uint32_t kSerial = 1, kRefresh = 3600, kRetry = 600, kExpire = 86400;
  for (auto number : {kSerial, kRefresh, kRetry, kExpire}) put_u32(data, number);
  put_u32(data, static_cast<std::uint32_t>(kTtl.count()));
  return data;
}

/// One authoritative answer, being written.
class Answer {
 public:
  Answer(const Query& query, Transport transport, std::vector<std::uint8_t>& response)
      : query_(query), writer_(response, size_limit(query, transport)) {
    writer_.start(query, {.response = true, .authoritative = true, .recursion_available = true});
    writer_.question(query);
  }

  bool asks_for(RecordType type) const {
    // RFC 8482 4.1: ANY may be answered with those RRsets that one likes, and ours are few.
    return query_.type == type || query_.type == RecordType::any;
  }

  void add(RecordType type, std::span<const std::uint8_t> rdata) { add(kHeaderSize, type, rdata); }

  void add(std::size_t owner, RecordType type, std::span<const std::uint8_t> rdata) {
    has_records_ = true;
    // RFC 2181 9: TC tells that a needed record is missing. What fits is kept, for clients that do not come
    // back over TCP (musl before 1.2.4).
    if (truncated_ || !writer_.record(Section::answer, owner, type, kTtlSeconds, rdata)) truncated_ = true;
  }

  Outcome finish(Rcode rcode, std::size_t apex) {
    if (!has_records_) {
      // RFC 2308 3: the SOA is what makes a negative answer one that may be kept.
      writer_.record(Section::authority, apex, RecordType::soa, kTtlSeconds, soa_data(apex));
    }
    if (truncated_) writer_.set_truncated();
    writer_.finish(rcode);
    auto kind = rcode == Rcode::name_error ? Outcome::Kind::name_error
                : has_records_             ? Outcome::Kind::answered
                                           : Outcome::Kind::no_data;
    return {kind, truncated_, query_};
  }

 private:
  static constexpr auto kTtlSeconds = static_cast<std::uint32_t>(kTtl.count());
  const Query& query_;
  MessageWriter writer_;
  bool has_records_ = false;
  bool truncated_ = false;
};

Outcome refuse(const Query& query, Rcode rcode, std::vector<std::uint8_t>& response) {
  write_failure(query, rcode, response);
  return {rcode == Rcode::server_failure ? Outcome::Kind::server_failure : Outcome::Kind::refused, false,
          query};
}

/// RFC 6761 6.3: `localhost` and all below it is the machine that asks; no other server is to be bothered.
Outcome answer_localhost(Answer answer, std::size_t apex) {
  constexpr std::uint8_t kLoopbackV4[] = {127, 0, 0, 1};
  constexpr std::uint8_t kLoopbackV6[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (answer.asks_for(RecordType::a)) answer.add(RecordType::a, kLoopbackV4);
  if (answer.asks_for(RecordType::aaaa)) answer.add(RecordType::aaaa, kLoopbackV6);
  return answer.finish(Rcode::no_error, apex);
}

Outcome answer_internal(Answer answer, const RecordSets* records, bool is_apex, std::size_t apex) {
  if (!records) return answer.finish(Rcode::name_error, apex);
  if (is_apex && answer.asks_for(RecordType::soa)) answer.add(apex, RecordType::soa, soa_data(apex));
  if (answer.asks_for(RecordType::aaaa)) {
    for (const auto& address : records->addresses) answer.add(RecordType::aaaa, address.to_bytes());
  }
  if (records->text && answer.asks_for(RecordType::txt))
    answer.add(RecordType::txt, text_data(*records->text));
  return answer.finish(Rcode::no_error, apex);
}

bool equal_ignoring_case(std::string_view label, std::string_view lower) {
  return label.size() == lower.size() && std::equal(label.begin(), label.end(), lower.begin(),
                                                    [](char a, char b) { return lower_case(a) == b; });
}

}  // namespace

Outcome respond(std::span<const std::uint8_t> message, const ZoneSnapshot* zone, NetworkId network,
                Transport transport, std::vector<std::uint8_t>& response) {
  auto parsed = parse_query(message);
  const Query& query = parsed.query;
  if (parsed.verdict == ParsedQuery::Verdict::not_a_query) return {Outcome::Kind::drop, false, query};
  if (parsed.verdict == ParsedQuery::Verdict::rejected) {
    MessageWriter writer(response, kMinUdpSize);
    writer.start(query, {.response = true, .recursion_available = true});
    if (parsed.has_question) writer.question(query);
    writer.finish(parsed.rejection);
    return {Outcome::Kind::refused, false, query};
  }
  // We serve the Internet class, and no zone transfers (RFC 5936 2.2.1: REFUSED where policy forbids).
  if (query.record_class != RecordClass::in || query.type == RecordType::axfr ||
      query.type == RecordType::ixfr) {
    return refuse(query, Rcode::refused, response);
  }
  // RFC 6891 6.1.1: OPT is no data that can be asked for.
  if (query.type == RecordType::opt) return refuse(query, Rcode::format_error, response);

  Labels labels(query.name);
  auto top = labels.size() == 0 ? std::string_view{} : labels[labels.size() - 1];
  std::size_t apex = labels.size() == 0 ? 0 : kHeaderSize + labels.offset(labels.size() - 1);
  if (equal_ignoring_case(top, "internal")) {
    const NetworkZone* seen = zone ? zone->find(network) : nullptr;
    // "No such name" would be kept by clients; that the zone is not there yet passes.
    if (!seen) return refuse(query, Rcode::server_failure, response);
    return answer_internal({query, transport, response}, seen->find(query.name), labels.size() == 1, apex);
  }
  // Private names: no Flycast address exists here yet, and the world outside is not to be asked.
  if (equal_ignoring_case(top, "flycast")) return Answer(query, transport, response).finish(Rcode::name_error, apex);
  if (equal_ignoring_case(top, "localhost")) return answer_localhost({query, transport, response}, apex);
  return {Outcome::Kind::forward, false, query};
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
  if (has_opt && layout->opt->end == layout->end) {
    extended_rcode = static_cast<Rcode>(reply[layout->opt->begin + kOptExtendedRcode] << 4);
    response.resize(layout->opt->begin);
    set_u16(response, kAdditionalCount, static_cast<std::uint16_t>(get_u16(response, kAdditionalCount) - 1));
    has_opt = false;
  }
  bool add_opt = query.edns && !has_opt;
  std::size_t limit = size_limit(query, transport) - (add_opt ? kOptSize : 0);
  auto relayed = Relayed::whole;
  if (response.size() > limit) {
    relayed = Relayed::truncated;
    add_opt = query.edns.has_value();
    limit = size_limit(query, transport) - (add_opt ? kOptSize : 0);
    auto first_out = std::upper_bound(layout->answer_ends.begin(), layout->answer_ends.end(), limit);
    response.resize(first_out == layout->answer_ends.begin() ? layout->answers_begin : *std::prev(first_out));
    response[2] |= kTruncated;
    set_u16(response, kAnswerCount, static_cast<std::uint16_t>(first_out - layout->answer_ends.begin()));
    set_u16(response, kAuthorityCount, 0);
    set_u16(response, kAdditionalCount, 0);
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
