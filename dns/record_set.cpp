#include "dns/record_set.hpp"

#include <algorithm>

namespace flylocal::dns {
namespace {

constexpr std::uint16_t kQuestionName = 0xC000 | kHeaderSize;  // a compression pointer (RFC 1035 4.1.4)
constexpr std::size_t kMaxString = 255;                         // octets of a character-string

}  // namespace

RecordSet RecordSet::of_text(std::string_view text, RecordClass record_class, std::chrono::seconds ttl) {
  RecordSet set(RecordType::txt);
  set.become_text(text, record_class, ttl);
  return set;
}

void RecordSet::add(const boost::asio::ip::address_v4& address) {
  const auto data = address.to_bytes();
  put_head(RecordClass::in, kTtl, data.size());
  octets_.insert(octets_.end(), data.begin(), data.end());
}

void RecordSet::add(const boost::asio::ip::address_v6& address) {
  const auto data = address.to_bytes();
  put_head(RecordClass::in, kTtl, data.size());
  octets_.insert(octets_.end(), data.begin(), data.end());
}

bool RecordSet::ends_with(const boost::asio::ip::address_v6& address) const {
  const auto data = address.to_bytes();
  return count_ > 0 && std::equal(data.rbegin(), data.rend(), octets_.rbegin());
}

void RecordSet::append(const RecordSet& other, std::size_t most) {
  append_range(other, 0, std::min(most, other.count_));
}

void RecordSet::append_range(const RecordSet& other, std::size_t first, std::size_t count) {
  const auto part = other.octets().subspan(first * other.record_size(), count * other.record_size());
  octets_.insert(octets_.end(), part.begin(), part.end());
  count_ += count;
}

void RecordSet::reset(RecordType type) {
  type_ = type;
  count_ = 0;
  octets_.clear();
}

void RecordSet::become_pointer(std::string_view target_wire) {
  reset(RecordType::ptr);
  put_head(RecordClass::in, kTtl, target_wire.size());
  octets_.insert(octets_.end(), target_wire.begin(), target_wire.end());
}

void RecordSet::become_text(std::string_view text, RecordClass record_class, std::chrono::seconds ttl) {
  reset(RecordType::txt);
  // A text of nothing is still one string.
  const std::size_t strings = std::max<std::size_t>(1, (text.size() + kMaxString - 1) / kMaxString);
  octets_.reserve(12 + text.size() + strings);
  // Data of more than 65535 octets never gets into a message, whatever its length field says.
  put_head(record_class, ttl, text.size() + strings);
  for (std::size_t i = 0; i < strings; ++i) {
    const auto part = text.substr(i * kMaxString, kMaxString);
    octets_.push_back(static_cast<std::uint8_t>(part.size()));
    octets_.insert(octets_.end(), part.begin(), part.end());
  }
}

void RecordSet::put_head(RecordClass record_class, std::chrono::seconds ttl, std::size_t data_size) {
  put_u16(octets_, kQuestionName);
  put_u16(octets_, static_cast<std::uint16_t>(type_));
  put_u16(octets_, static_cast<std::uint16_t>(record_class));
  put_u32(octets_, static_cast<std::uint32_t>(ttl.count()));
  put_u16(octets_, static_cast<std::uint16_t>(data_size));
  ++count_;
}

}  // namespace flylocal::dns
