#pragma once

#include <array>
#include <atomic>
#include <boost/asio/ip/address_v6.hpp>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/message.hpp"
#include "dns/name.hpp"
#include "dns/responder.hpp"
#include "dns/zone.hpp"

namespace flylocal::dns {

/// Where an answer came from.
enum class Origin : std::uint8_t {
  none,  ///< from nowhere: the query was refused, or nobody could be asked
  zone,
  cache,
  upstream,
};

/// What is noted of a query that was answered; refers to the name, which has to live during the call only.
struct QueryNote {
  const boost::asio::ip::address_v6& client;
  NetworkId network{};
  Transport transport = Transport::udp;
  Origin origin = Origin::none;
  const Name& name;  ///< as asked; the root for a query whose question could not be read
  RecordType type{};
  std::chrono::steady_clock::duration took{};
};

/// A note as it is read again.
struct QueryRecord {
  std::uint64_t number = 0;                  ///< one more than the query's before it
  std::chrono::system_clock::time_point at;  ///< when it was answered, to some milliseconds
  boost::asio::ip::address_v6 client;
  NetworkId network{};
  Transport transport = Transport::udp;
  Origin origin = Origin::none;
  Name name;
  RecordType type{};
  std::chrono::steady_clock::duration took{};
  std::vector<std::uint8_t> response;  ///< its first QueryLog::kKeptOctets
  std::size_t response_size = 0;       ///< what it was before it was cut, in octets
};

/// The last kSlots queries and their responses: a ring of slots of a fixed size, so that a note costs no allocation and
/// no lock. All but version() belongs to the server's thread.
class QueryLog {
 public:
  static constexpr std::size_t kSlots = 4096;
  /// Most answers are whole in it; of longer ones the first records are kept.
  static constexpr std::size_t kKeptOctets = 512;

  QueryLog() : slots_(kSlots) {}

  void note(const QueryNote& note, std::span<const std::uint8_t> response);

  /// The number that the next note gets. From any thread.
  std::uint64_t version() const { return next_.load(std::memory_order_acquire); }

  /// At most `most` records from `number` on, oldest first. Those that are overwritten already are left out: then the
  /// first record's number is greater.
  std::vector<QueryRecord> since(std::uint64_t number, std::size_t most) const;

 private:
  struct Slot {
    std::chrono::system_clock::time_point at;
    std::chrono::steady_clock::duration took{};
    boost::asio::ip::address_v6::bytes_type client{};
    NetworkId network{};
    RecordType type{};
    std::uint16_t response_size = 0;
    Transport transport{};
    Origin origin{};
    std::uint8_t name_size = 0;
    // The name and, right behind it, the response: what a slot does not use is not touched.
    std::array<std::uint8_t, Name::kMaxWireSize + kKeptOctets> octets{};
  };
  std::vector<Slot> slots_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace flylocal::dns
