#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns/message.hpp"

namespace flylocal::dns {

/// What makes two questions the same one to an upstream: name without its case, type, class, and the bits DO and CD,
/// which change what a resolver that validates gives (RFC 4035 3.2).
class QuestionKey {
 public:
  explicit QuestionKey(const Query& query);
  std::string_view view() const { return {octets_.data(), size_}; }

 private:
  static constexpr std::size_t kBehindName = 5;  // type, class, bits
  std::array<char, Name::kMaxWireSize + kBehindName> octets_;
  std::size_t size_;
};

struct AnswerCacheOptions {
  std::size_t max_entries = 4096;
  /// Of messages, their keys and what is noted of each. An answer that is larger alone is not kept.
  std::size_t max_octets = 4 * 1024 * 1024;
  /// No answer is kept longer, whatever its records say (RFC 8767 4 advises a cap of days).
  std::chrono::seconds max_ttl{std::chrono::hours{24}};
  /// Negative answers: RFC 2308 5 found one to three hours to work well.
  std::chrono::seconds max_negative_ttl{std::chrono::hours{3}};
  /// SERVFAIL and REFUSED of an upstream (RFC 9520 3.2: at least 1 s, at most 5 min).
  std::chrono::seconds failure_ttl{5};
  /// That no upstream answered: the least that RFC 9520 allows, as a network may come back at any time.
  std::chrono::seconds silence_ttl{1};
};

/// Answers of upstream resolvers, the least recently used ones going first. Knows no clock: every call says what time
/// it is, and times never decrease. Belongs to one thread.
class AnswerCache {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit AnswerCache(AnswerCacheOptions options = {}) : options_(options) {}
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  /// The upstream's reply as it was stored, but with the TTLs that are left of it: id, spelling and OPT are those of whoever
  /// asked first. Valid until the next call. An empty span: it is known that no upstream answers this question.
  std::optional<std::span<const std::uint8_t>> find(const QuestionKey& key, TimePoint now);

  /// Keeps `reply` for as long as it may be: a positive answer for the least TTL of its records (RFC 2181 5.2), a negative
  /// one for the lesser of its SOA's TTL and MINIMUM (RFC 2308 5), a failure for a short time. Replies that are truncated or
  /// not well-formed, that have a TTL of 0, or that are negative without an SOA are not kept.
  void store(const QuestionKey& key, std::span<const std::uint8_t> reply, TimePoint now);

  /// Notes that no upstream answered.
  void store_silence(const QuestionKey& key, TimePoint now);

  std::size_t size() const { return entries_.size(); }
  /// What counts against max_octets.
  std::size_t octets() const { return octets_; }

 private:
  struct Entry {
    std::string key;
    std::vector<std::uint8_t> reply;
    std::vector<std::uint16_t> ttl_offsets;  // where TTLs stand in `reply`
    TimePoint aged_to;                       // the time for which these TTLs are right, to the second
    TimePoint expires;
  };
  using Entries = std::list<Entry>;

  static std::size_t cost(const Entry& entry);
  void insert(Entry entry);
  void erase(Entries::iterator entry);

  const AnswerCacheOptions options_;
  Entries entries_;  // the most recently used first
  std::unordered_map<std::string_view, Entries::iterator> index_;  // its keys lie in the entries
  std::size_t octets_ = 0;
};

}  // namespace flylocal::dns
