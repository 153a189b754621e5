#include "dns/message.hpp"

#include <algorithm>
#include <array>

namespace flylocal::dns {
namespace {

// The second 16 bits of the header (RFC 1035 4.1.1, AD and CD by RFC 4035 3.1.6).
constexpr std::uint16_t kResponse = 0x8000;
constexpr std::uint16_t kOpcodeMask = 0x7800;
constexpr int kOpcodeShift = 11;
constexpr std::uint16_t kAuthoritative = 0x0400;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kCheckingDisabled = 0x0010;
constexpr std::uint16_t kRcodeMask = 0x000F;

constexpr std::uint16_t kDnssecOk = 0x8000;  // RFC 3225 3

// A record behind its owner: type, class, TTL and the length of its data.
constexpr std::size_t kRecordFixedSize = 10;

struct RecordView {
  bool root_owner = false;
  RecordType type{};
  std::uint16_t record_class = 0;
  std::uint32_t ttl = 0;
};

/// Moves `offset` behind the record at it; empty when it leaves the message.
std::optional<RecordView> read_record(std::span<const std::uint8_t> message, std::size_t& offset) {
  RecordView record;
  std::size_t position = offset;
  record.root_owner = position < message.size() && message[position] == 0;
  if (!skip_name(message, position)) return std::nullopt;
  if (position + kRecordFixedSize > message.size()) return std::nullopt;
  record.type = static_cast<RecordType>(get_u16(message, position));
  record.record_class = get_u16(message, position + 2);
  record.ttl =
      static_cast<std::uint32_t>(get_u16(message, position + 4)) << 16 | get_u16(message, position + 6);
  std::size_t data_size = get_u16(message, position + 8);
  position += kRecordFixedSize;
  if (message.size() - position < data_size) return std::nullopt;
  offset = position + data_size;
  return record;
}

/// The flags that every message repeats from the query it belongs to.
std::uint16_t query_flags(const Query& query) {
  std::uint16_t flags = static_cast<std::uint16_t>(static_cast<unsigned>(query.opcode) << kOpcodeShift);
  if (query.recursion_desired) flags |= kRecursionDesired;
  if (query.checking_disabled) flags |= kCheckingDisabled;
  return flags;
}

/// Makes `out` longer and returns where the new octets begin.
std::uint8_t* grow(std::vector<std::uint8_t>& out, std::size_t size) {
  out.resize(out.size() + size);
  return out.data() + out.size() - size;
}

std::uint8_t* write_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
  return at + 2;
}

}  // namespace

void put_u16(std::vector<std::uint8_t>& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void put_u32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  put_u16(out, static_cast<std::uint16_t>(value >> 16));
  put_u16(out, static_cast<std::uint16_t>(value));
}

void set_u16(std::span<std::uint8_t> message, std::size_t offset, std::uint16_t value) {
  message[offset] = static_cast<std::uint8_t>(value >> 8);
  message[offset + 1] = static_cast<std::uint8_t>(value);
}

void put_opt(std::vector<std::uint8_t>& out, const Edns& edns, Rcode rcode) {
  std::uint8_t* at = grow(out, kOptSize);
  *at++ = 0;  // the root owns it
  at = write_u16(at, static_cast<std::uint16_t>(RecordType::opt));
  at = write_u16(at, kMaxUdpSize);
  *at++ = static_cast<std::uint8_t>(static_cast<std::uint16_t>(rcode) >> 4);
  *at++ = 0;  // version
  at = write_u16(at, edns.dnssec_ok ? kDnssecOk : 0);
  write_u16(at, 0);  // no options
}

std::uint16_t get_u16(std::span<const std::uint8_t> message, std::size_t offset) {
  return static_cast<std::uint16_t>(message[offset] << 8 | message[offset + 1]);
}

QueryReading read_query(std::span<const std::uint8_t> message, Query& query) {
  QueryReading reading;
  auto reject = [&reading](Rcode rcode) {
    reading.verdict = QueryReading::Verdict::rejected;
    reading.rejection = rcode;
    return reading;
  };

  if (message.size() < kHeaderSize) return reading;
  std::uint16_t flags = get_u16(message, 2);
  if (flags & kResponse) return reading;
  query.id = get_u16(message, 0);
  query.opcode = static_cast<Opcode>((flags & kOpcodeMask) >> kOpcodeShift);
  query.recursion_desired = flags & kRecursionDesired;
  query.checking_disabled = flags & kCheckingDisabled;
  // Other operations give the sections another meaning, so nothing behind the header is read.
  if (query.opcode != Opcode::query) return reject(Rcode::not_implemented);
  // RFC 9619 4: a query has exactly one question.
  if (get_u16(message, 4) != 1) return reject(Rcode::format_error);

  std::size_t offset = kHeaderSize;
  if (!query.name.read(message, offset) || offset + 4 > message.size()) {
    query.name = Name();  // the first labels of a name that was cut are another name
    return reject(Rcode::format_error);
  }
  query.type = static_cast<RecordType>(get_u16(message, offset));
  query.record_class = static_cast<RecordClass>(get_u16(message, offset + 2));
  offset += 4;
  reading.has_question = true;

  unsigned before_additional = get_u16(message, 6) + get_u16(message, 8);
  unsigned records = before_additional + get_u16(message, 10);
  bool version_known = true;
  for (unsigned i = 0; i < records; ++i) {
    auto record = read_record(message, offset);
    if (!record) return reject(Rcode::format_error);
    if (record->type != RecordType::opt) continue;
    // RFC 6891 6.1.1 and 6.1.2: one at most, in the additional section, owned by the root.
    if (query.edns || i < before_additional || !record->root_owner) return reject(Rcode::format_error);
    query.edns = Edns{record->record_class, (record->ttl & kDnssecOk) != 0};
    version_known = (record->ttl >> 16 & 0xFF) == 0;
  }
  if (offset != message.size()) return reject(Rcode::format_error);
  // RFC 6891 6.1.3.
  if (!version_known) return reject(Rcode::bad_version);
  reading.verdict = QueryReading::Verdict::well_formed;
  return reading;
}

ParsedQuery parse_query(std::span<const std::uint8_t> message) {
  ParsedQuery parsed;
  static_cast<QueryReading&>(parsed) = read_query(message, parsed.query);
  return parsed;
}

MessageWriter::MessageWriter(std::vector<std::uint8_t>& message, std::size_t limit)
    : message_(message), limit_(limit) {
  message_.clear();
}

void MessageWriter::start(const Query& query, Flags flags) {
  std::uint16_t bits = query_flags(query);
  if (flags.response) bits |= kResponse;
  if (flags.authoritative) bits |= kAuthoritative;
  if (flags.recursion_available) bits |= kRecursionAvailable;
  std::uint8_t* at = grow(message_, kHeaderSize);  // the counts are filled in by finish()
  at = write_u16(at, query.id);
  write_u16(at, bits);
  edns_ = query.edns;
  if (edns_) limit_ -= kOptSize;
}

void MessageWriter::question(const Query& query) {
  const auto wire = query.name.wire();
  std::uint8_t* at = grow(message_, wire.size() + 4);
  at = std::copy(wire.begin(), wire.end(), at);
  at = write_u16(at, static_cast<std::uint16_t>(query.type));
  write_u16(at, static_cast<std::uint16_t>(query.record_class));
  set_u16(message_, 4, 1);
}

std::size_t MessageWriter::records(Section section, std::span<const std::uint8_t> octets, std::size_t count) {
  if (count == 0) return 0;
  const std::size_t record_size = octets.size() / count;
  const std::size_t written = std::min(count, (limit_ - std::min(limit_, message_.size())) / record_size);
  const auto fitting = octets.first(written * record_size);
  std::copy(fitting.begin(), fitting.end(), grow(message_, fitting.size()));
  counts_[static_cast<int>(section)] = static_cast<std::uint16_t>(counts_[static_cast<int>(section)] + written);
  return written;
}

void MessageWriter::finish(Rcode rcode) {
  std::uint16_t bits = get_u16(message_, 2) | (static_cast<std::uint16_t>(rcode) & kRcodeMask);
  if (truncated_) bits |= kTruncated;
  set_u16(message_, 2, bits);
  if (edns_) {
    put_opt(message_, *edns_, rcode);
    ++counts_[static_cast<int>(Section::additional)];
  }
  for (std::size_t i = 0; i < 3; ++i) set_u16(message_, 6 + 2 * i, counts_[i]);
}

std::vector<std::uint8_t> write_query(const Query& query, std::uint16_t id) {
  std::vector<std::uint8_t> message;
  MessageWriter writer(message, kMaxUdpSize);
  Query own = query;
  own.id = id;
  own.opcode = Opcode::query;
  // The upstream is asked to recurse whatever the asker said: it is not the asker's business how we find out.
  own.recursion_desired = true;
  writer.start(own, {});
  writer.question(own);
  writer.finish(Rcode::no_error);
  return message;
}

std::optional<Response> parse_response(std::span<const std::uint8_t> message) {
  if (message.size() < kHeaderSize) return std::nullopt;
  std::uint16_t flags = get_u16(message, 2);
  if (!(flags & kResponse)) return std::nullopt;
  Response response;
  response.id = get_u16(message, 0);
  response.truncated = flags & kTruncated;
  response.rcode = static_cast<Rcode>(flags & kRcodeMask);

  std::size_t offset = kHeaderSize;
  unsigned questions = get_u16(message, 4);
  if (questions > 1) return std::nullopt;
  if (questions == 1) {
    auto name = Name::parse(message, offset);
    if (!name || offset + 4 > message.size()) return std::nullopt;
    response.question = Response::Question{*name, static_cast<RecordType>(get_u16(message, offset)),
                                           static_cast<RecordClass>(get_u16(message, offset + 2))};
    offset += 4;
  }
  response.answers_begin = offset;
  // A truncated message may end anywhere: what counts is its header, as it will be asked for again.
  if (response.truncated) return response;

  unsigned answers = get_u16(message, 6);
  unsigned additionals = get_u16(message, 10);
  unsigned records = answers + get_u16(message, 8) + additionals;
  response.additionals_begin = offset;
  for (unsigned i = 0; i < records; ++i) {
    std::size_t begin = offset;
    auto record = read_record(message, offset);
    if (!record) return std::nullopt;
    if (i < answers) response.answer_ends.push_back(offset);
    if (i < records - additionals) response.additionals_begin = offset;
    if (record->type != RecordType::opt) continue;
    // RFC 6891 6.1.1: as in a query.
    if (response.opt || i < records - additionals || !record->root_owner) return std::nullopt;
    response.opt = Response::Range{begin, offset};
  }
  response.end = offset;
  return response;
}

}  // namespace flylocal::dns
