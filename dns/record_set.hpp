#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dns/message.hpp"

namespace flylocal::dns {

/// The platform's TTL (platform.md 3.4), also of negative answers.
inline constexpr std::chrono::seconds kTtl{5};

/// The records of one type that a name has, encoded as they stand in a response. The owner of each is a pointer to the
/// name of the question, so one set serves every spelling of a name. All records of a set have the same size.
class RecordSet {
 public:
  explicit RecordSet(RecordType type) : type_(type) {}

  /// One TXT record. Over 255 octets the text is split into several character-strings (RFC 1035 3.3.14).
  static RecordSet of_text(std::string_view text, RecordClass record_class = RecordClass::in, std::chrono::seconds ttl = kTtl);

  /// An A record in a set of A records, an AAAA record in a set of these.
  void add(const boost::asio::ip::address_v4& address);
  void add(const boost::asio::ip::address_v6& address);
  /// The first records of another set of the same type, at most `most` of them.
  void append(const RecordSet& other, std::size_t most);
  void append_one(const RecordSet& other, std::size_t index) { append_range(other, index, 1); }

  /// Empties the set; its memory is used again.
  void reset(RecordType type);
  /// Makes it one PTR record to the name with this wire form.
  void become_pointer(std::string_view target_wire);
  /// As of_text().
  void become_text(std::string_view text, RecordClass record_class = RecordClass::in, std::chrono::seconds ttl = kTtl);

  RecordType type() const { return type_; }
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  /// Whether the last record is of this address.
  bool ends_with(const boost::asio::ip::address_v6& address) const;
  std::size_t record_size() const { return count_ == 0 ? 0 : octets_.size() / count_; }
  std::span<const std::uint8_t> octets() const { return octets_; }

 private:
  void append_range(const RecordSet& other, std::size_t first, std::size_t count);
  void put_head(RecordClass record_class, std::chrono::seconds ttl, std::size_t data_size);

  RecordType type_;
  std::size_t count_ = 0;
  std::vector<std::uint8_t> octets_;
};

}  // namespace flylocal::dns
