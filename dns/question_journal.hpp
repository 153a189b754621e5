#pragma once

#include <atomic>
#include <boost/asio/ip/address_v6.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "dns/name.hpp"

namespace flylocal::dns {

/// Which families of addresses a client asked for of a name that has IPv6 addresses only.
struct AddressQuestion {
  boost::asio::ip::address_v6 client;
  std::string name;  ///< lower case, without the last dot
  bool asked_ipv4 = false;
  bool asked_ipv6 = false;
  std::chrono::steady_clock::time_point first_asked;
};

/// Remembers who asked for A and who for AAAA, for as many pairs of client and name as kMaxEntries; further ones are
/// left out. A client that never asks for AAAA cannot reach a `.internal` name (bindcatalog section 8). All but
/// version() belongs to the server's thread.
class QuestionJournal {
 public:
  static constexpr std::size_t kMaxEntries = 4096;

  enum class Family { kIpv4, kIpv6 };
  void note(const boost::asio::ip::address_v6& client, const Name& name, Family family);

  /// Grows with each entry that is new or changed. From any thread.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::vector<AddressQuestion> questions() const;

 private:
  struct Entry {
    bool asked_ipv4 = false;
    bool asked_ipv6 = false;
    std::chrono::steady_clock::time_point first_asked;
  };
  std::unordered_map<std::string, Entry> entries_;  // by the client's 16 octets and the name's wire form
  std::string key_;                                 // its memory is used again from question to question
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace flylocal::dns
