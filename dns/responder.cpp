#include "dns/responder.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

namespace flylocal::dns {
namespace {

using Kind = Outcome::Kind;
using Section = MessageWriter::Section;

constexpr MessageWriter::Flags kOwnAnswer{.response = true, .authoritative = true, .recursion_available = true};

constexpr std::string_view kVersionBind{"\7version\4bind", 14};
constexpr std::string_view kVersionServer{"\7version\6server", 16};

/// The SOA record of a zone. There are no secondaries, so its numbers are formal, but for the last: how long a
/// negative answer may be kept (RFC 2308 4).
constexpr std::uint8_t kSoaTtl = static_cast<std::uint8_t>(kTtl.count());
constexpr std::array<std::uint8_t, 47> kSoa{
    0xC0, 0,                       // owner: the apex
    0, 6, 0, 1, 0, 0, 0, kSoaTtl,  // SOA, IN, TTL
    0, 35,                         // length of the data
    0xC0, 0,                       // MNAME: the apex
    10, 'h', 'o', 's', 't', 'm', 'a', 's', 't', 'e', 'r', 0xC0, 0,  // RNAME: below the apex
    0, 0, 0, 1,                    // serial
    0, 0, 0x0E, 0x10,              // refresh: 3600 s
    0, 0, 0x02, 0x58,              // retry: 600 s
    0, 1, 0x51, 0x80,              // expire: 86400 s
    0, 0, 0, kSoaTtl};
constexpr std::array<std::size_t, 3> kSoaPointers{0, 12, 25};

/// The SOA record of the zone whose name stands at `apex` of the message.
std::array<std::uint8_t, 47> soa_record(std::size_t apex) {
  auto record = kSoa;
  for (std::size_t at : kSoaPointers) set_u16(record, at, static_cast<std::uint16_t>(0xC000 | apex));
  return record;
}

/// The zones that are answered here.
enum class Domain { none, internal, flycast, reverse, localhost };

Domain domain_of(const Name& lower, const Labels& labels) {
  if (labels.size() == 0) return Domain::none;
  const auto top = labels[labels.size() - 1];
  if (top == "internal") return Domain::internal;
  if (top == "flycast") return Domain::flycast;
  if (top == "localhost") return Domain::localhost;
  if (top != "arpa" || labels.size() < kReverseApexLabels) return Domain::none;
  const bool is_six_pn = lower.wire().substr(labels.offset(labels.size() - kReverseApexLabels)) == kReverseApex;
  return is_six_pn ? Domain::reverse : Domain::none;
}

bool asks_for(const Query& query, RecordType type) {
  // RFC 8482 4.1: ANY may be answered with those RRsets that one likes, and ours are few.
  return query.type == type || query.type == RecordType::any;
}

Kind refuse(const Query& query, Rcode rcode, std::vector<std::uint8_t>& response) {
  write_failure(query, rcode, response);
  return rcode == Rcode::server_failure ? Kind::server_failure : Kind::refused;
}

}  // namespace

Responder::Responder(const ResponderOptions& options)
    : version_(RecordSet::of_text(options.server_name, RecordClass::chaos, std::chrono::seconds{0})),
      random_(std::random_device{}()) {
  loopback_v4_.add(boost::asio::ip::address_v4::loopback());
  loopback_v6_.add(boost::asio::ip::address_v6::loopback());
}

Outcome Responder::respond(std::span<const std::uint8_t> message, const ZoneSnapshot* zone, NetworkId network,
                           const boost::asio::ip::address_v6& client, Transport transport,
                           std::vector<std::uint8_t>& response) {
  Outcome outcome;
  const QueryReading reading = read_query(message, outcome.query);
  if (reading.verdict == QueryReading::Verdict::not_a_query) return outcome;
  if (reading.verdict == QueryReading::Verdict::rejected) {
    outcome.kind = Kind::refused;
    MessageWriter writer(response, kMinUdpSize);
    writer.start(outcome.query, {.response = true, .recursion_available = true});
    if (reading.has_question) writer.question(outcome.query);
    writer.finish(reading.rejection);
    return outcome;
  }
  outcome.kind = answer(outcome.query, zone, network, client, transport, response, outcome.truncated);
  return outcome;
}

Kind Responder::answer(const Query& query, const ZoneSnapshot* zone, NetworkId network,
                       const boost::asio::ip::address_v6& client, Transport transport, std::vector<std::uint8_t>& response,
                       bool& truncated) {
  // RFC 6891 6.1.1: OPT is no data that can be asked for.
  if (query.type == RecordType::opt) return refuse(query, Rcode::format_error, response);
  if (query.record_class == RecordClass::chaos) return answer_chaos(query, transport, response);
  // No other class, and no zone transfers (RFC 5936 2.2.1: REFUSED where policy forbids).
  if (query.record_class != RecordClass::in || query.type == RecordType::axfr || query.type == RecordType::ixfr)
    return refuse(query, Rcode::refused, response);

  const Name lower = query.name.lower_case();
  const Labels labels(lower);
  const Domain domain = domain_of(lower, labels);
  finding_.clear();
  std::size_t apex_labels = 1;
  if (domain == Domain::none) {
    if (zone) zone->public_hosts().find(lower.wire(), finding_);
    if (!finding_.exists()) return Kind::forward;
    apex_labels = labels.size();  // the name is all that we have of its zone
  } else if (domain == Domain::localhost) {
    // RFC 6761 6.3: `localhost` and all below it is the machine that asks; no other server is to be bothered.
    finding_.add(loopback_v4_);
    finding_.add(loopback_v6_);
  } else {
    const NetworkZone* seen = zone ? zone->find(network) : nullptr;
    // "No such name" would be kept by clients; that the zone is not there yet passes.
    if (!seen) return refuse(query, Rcode::server_failure, response);
    if (domain == Domain::internal) {
      seen->find_internal(lower, labels, client, finding_);
    } else if (domain == Domain::flycast) {
      seen->find_flycast(labels, finding_);
    } else {
      seen->find_reverse(labels, finding_);
      apex_labels = kReverseApexLabels;
    }
  }
  const std::size_t apex = kHeaderSize + labels.offset(labels.size() - apex_labels);
  const AnswerOrder order = zone ? zone->order() : AnswerOrder::fixed;
  return write_answer(query, apex, finding_.is_sorted() ? AnswerOrder::fixed : order, transport, response, truncated);
}

Kind Responder::write_answer(const Query& query, std::size_t apex, AnswerOrder order, Transport transport,
                             std::vector<std::uint8_t>& response, bool& truncated) {
  MessageWriter writer(response, size_limit(query, transport));
  writer.start(query, kOwnAnswer);
  writer.question(query);
  bool has_records = false;
  for (const RecordSet* set : finding_.sets()) {
    if (!asks_for(query, set->type())) continue;
    has_records = true;
    // RFC 2181 9: TC tells that a needed record is missing. What fits is kept, for clients that do not come
    // back over TCP (musl before 1.2.4).
    if (truncated) break;
    const bool permute = order == AnswerOrder::random && set->size() > 1;
    const std::size_t written =
        permute ? write_permuted(writer, *set) : writer.records(Section::answer, set->octets(), set->size());
    truncated = written < set->size();
  }
  const bool is_apex = apex == kHeaderSize && finding_.exists();
  if (is_apex && asks_for(query, RecordType::soa)) {
    has_records = true;
    if (!truncated) truncated = writer.records(Section::answer, soa_record(apex), 1) == 0;
  }
  // RFC 2308 3: the SOA is what makes a negative answer one that may be kept.
  if (!has_records) writer.records(Section::authority, soa_record(apex), 1);
  if (truncated) writer.set_truncated();
  writer.finish(finding_.exists() ? Rcode::no_error : Rcode::name_error);
  if (!finding_.exists()) return Kind::name_error;
  return has_records ? Kind::answered : Kind::no_data;
}

Kind Responder::answer_chaos(const Query& query, Transport transport, std::vector<std::uint8_t>& response) {
  const Name lower = query.name.lower_case();
  const bool is_version = lower.wire() == kVersionBind || lower.wire() == kVersionServer;
  if (!is_version || !asks_for(query, RecordType::txt)) return refuse(query, Rcode::refused, response);
  MessageWriter writer(response, size_limit(query, transport));
  writer.start(query, kOwnAnswer);
  writer.question(query);
  writer.records(Section::answer, version_.octets(), version_.size());
  writer.finish(Rcode::no_error);
  return Kind::answered;
}

std::size_t Responder::write_permuted(MessageWriter& writer, const RecordSet& records) {
  permutation_.resize(records.size());
  std::iota(permutation_.begin(), permutation_.end(), 0u);
  // Drawn one by one: of a set that does not fit, every record has the same chance to be in the answer.
  for (std::size_t i = 0; i < permutation_.size(); ++i) {
    std::uniform_int_distribution<std::size_t> later(i, permutation_.size() - 1);
    std::swap(permutation_[i], permutation_[later(random_)]);
    const auto record = records.octets().subspan(permutation_[i] * records.record_size(), records.record_size());
    if (writer.records(Section::answer, record, 1) == 0) return i;
  }
  return permutation_.size();
}

}  // namespace flylocal::dns
