#include "dns/answer_cache.hpp"

#include <algorithm>
#include <limits>

namespace flylocal::dns {
namespace {

using Seconds = std::chrono::seconds;

// Behind a record's owner (RFC 1035 4.1.3): type, class, TTL, length of the data.
constexpr std::size_t kTtlOffset = 4;
constexpr std::size_t kDataSizeOffset = 8;
constexpr std::size_t kRecordFixedSize = 10;
// An SOA's data end with five numbers of 32 bits, MINIMUM the last; two names of an octet at least stand before.
constexpr std::size_t kMinSoaSize = 22;
constexpr std::size_t kMinimumSize = 4;

constexpr std::uint8_t kDnssecOkBit = 1;
constexpr std::uint8_t kCheckingDisabledBit = 2;

std::uint32_t get_u32(std::span<const std::uint8_t> message, std::size_t offset) {
  return static_cast<std::uint32_t>(get_u16(message, offset)) << 16 | get_u16(message, offset + 2);
}

void set_u32(std::span<std::uint8_t> message, std::size_t offset, std::uint32_t value) {
  set_u16(message, offset, static_cast<std::uint16_t>(value >> 16));
  set_u16(message, offset + 2, static_cast<std::uint16_t>(value));
}

/// A TTL as it is to be understood: one with the highest bit set is 0 (RFC 2181 8).
Seconds ttl_of(std::uint32_t field) {
  return Seconds{field > std::numeric_limits<std::int32_t>::max() ? 0 : field};
}

void lower_ttl(std::span<std::uint8_t> message, std::size_t offset, Seconds cap) {
  const Seconds ttl = std::min(ttl_of(get_u32(message, offset)), cap);
  set_u32(message, offset, static_cast<std::uint32_t>(ttl.count()));
}

/// How long a whole reply of NOERROR or NXDOMAIN may be kept, zero for not at all. Notes where its TTLs stand, and lowers those
/// that say more than may be kept.
Seconds lifetime(std::vector<std::uint8_t>& reply, const Response& layout, const AnswerCacheOptions& options,
                 std::vector<std::uint16_t>& ttl_offsets) {
  const std::size_t answers = get_u16(reply, 6);
  const std::size_t before_additional = answers + get_u16(reply, 8);
  const std::size_t records = before_additional + get_u16(reply, 10);
  Seconds least = options.max_ttl;
  bool has_wanted_record = false;
  bool has_soa = false;
  std::size_t offset = layout.answers_begin;
  for (std::size_t i = 0; i < records; ++i) {
    if (!skip_name(reply, offset) || offset + kRecordFixedSize > reply.size()) return Seconds::zero();
    const auto type = static_cast<RecordType>(get_u16(reply, offset));
    const std::size_t data_size = get_u16(reply, offset + kDataSizeOffset);
    const std::size_t ttl_offset = offset + kTtlOffset;
    offset += kRecordFixedSize + data_size;
    if (offset > reply.size()) return Seconds::zero();
    if (type == RecordType::opt) continue;  // its TTL field is none (RFC 6891 6.1.3)

    if (i < answers && (type == layout.question->type || layout.question->type == RecordType::any)) has_wanted_record = true;
    Seconds cap = options.max_ttl;
    if (type == RecordType::soa && i >= answers && i < before_additional && data_size >= kMinSoaSize) {
      has_soa = true;
      cap = std::min({cap, options.max_negative_ttl, ttl_of(get_u32(reply, offset - kMinimumSize))});
    }
    lower_ttl(reply, ttl_offset, cap);
    ttl_offsets.push_back(static_cast<std::uint16_t>(ttl_offset));
    least = std::min(least, ttl_of(get_u32(reply, ttl_offset)));
  }
  // RFC 2308 2.2: with aliases in the answer section, an answer has no data when the type that was asked for is missing.
  const bool negative = layout.rcode == Rcode::name_error || !has_wanted_record;
  if (negative && !has_soa) return Seconds::zero();
  return negative ? std::min(least, options.max_negative_ttl) : least;
}

}  // namespace

QuestionKey::QuestionKey(const Query& query) {
  const Name lower = query.name.lower_case();
  const auto wire = lower.wire();
  auto out = std::copy(wire.begin(), wire.end(), octets_.begin());
  for (const auto number : {static_cast<std::uint16_t>(query.type), static_cast<std::uint16_t>(query.record_class)}) {
    *out++ = static_cast<char>(number >> 8);
    *out++ = static_cast<char>(number & 0xFF);
  }
  const bool dnssec_ok = query.edns && query.edns->dnssec_ok;
  *out++ = static_cast<char>((dnssec_ok ? kDnssecOkBit : 0) | (query.checking_disabled ? kCheckingDisabledBit : 0));
  size_ = static_cast<std::size_t>(out - octets_.begin());
}

std::optional<std::span<const std::uint8_t>> AnswerCache::find(const QuestionKey& key, TimePoint now) {
  const auto found = index_.find(key.view());
  if (found == index_.end()) return std::nullopt;
  Entry& entry = *found->second;
  if (now >= entry.expires) {
    erase(found->second);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  const auto age = std::chrono::floor<Seconds>(now - entry.aged_to);
  if (age > Seconds::zero()) {
    // None comes to 0: the entry would have expired.
    for (const std::size_t offset : entry.ttl_offsets)
      set_u32(entry.reply, offset, get_u32(entry.reply, offset) - static_cast<std::uint32_t>(age.count()));
    entry.aged_to += age;
  }
  return entry.reply;
}

void AnswerCache::store(const QuestionKey& key, std::span<const std::uint8_t> reply, TimePoint now) {
  if (reply.size() > kMaxMessageSize) return;
  const auto layout = parse_response(reply);
  if (!layout || layout->truncated || !layout->question) return;
  Entry entry{std::string(key.view()), {reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(layout->end)}, {}, now, now};
  Seconds ttl{0};
  if (layout->rcode == Rcode::no_error || layout->rcode == Rcode::name_error) {
    ttl = lifetime(entry.reply, *layout, options_, entry.ttl_offsets);
  } else if (layout->rcode == Rcode::server_failure || layout->rcode == Rcode::refused) {
    // The others complain about how the question was put, and not everybody puts it alike.
    ttl = options_.failure_ttl;
  }
  if (ttl == Seconds::zero()) return;
  entry.expires = now + ttl;
  insert(std::move(entry));
}

void AnswerCache::store_silence(const QuestionKey& key, TimePoint now) {
  insert({std::string(key.view()), {}, {}, now, now + options_.silence_ttl});
}

std::size_t AnswerCache::cost(const Entry& entry) {
  // Nodes of the list and of the index, about.
  constexpr std::size_t kNodes = sizeof(Entry) + 64;
  return kNodes + entry.key.size() + entry.reply.size() + entry.ttl_offsets.size() * sizeof(std::uint16_t);
}

void AnswerCache::insert(Entry entry) {
  if (const auto old = index_.find(entry.key); old != index_.end()) erase(old->second);
  const std::size_t added = cost(entry);
  if (added > options_.max_octets || options_.max_entries == 0) return;
  while (entries_.size() >= options_.max_entries || octets_ + added > options_.max_octets) erase(std::prev(entries_.end()));
  entries_.push_front(std::move(entry));
  index_.emplace(entries_.front().key, entries_.begin());
  octets_ += added;
}

void AnswerCache::erase(Entries::iterator entry) {
  octets_ -= cost(*entry);
  index_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace flylocal::dns
