#include "dns/query_log.hpp"

#include <time.h>

#include <algorithm>

namespace flylocal::dns {
namespace {

/// To some milliseconds, which a log does not notice, at a quarter of the usual clock's cost.
std::chrono::system_clock::time_point coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const auto since_epoch = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

}  // namespace

void QueryLog::note(const QueryNote& note, std::span<const std::uint8_t> response) {
  const std::uint64_t number = next_.load(std::memory_order_relaxed);
  Slot& slot = slots_[number % kSlots];
  slot.at = coarse_now();
  slot.took = note.took;
  slot.client = note.client.to_bytes();
  slot.network = note.network;
  slot.type = note.type;
  slot.response_size = static_cast<std::uint16_t>(std::min(response.size(), kMaxMessageSize));
  slot.transport = note.transport;
  slot.origin = note.origin;
  const std::string_view name = note.name.wire();
  slot.name_size = static_cast<std::uint8_t>(name.size());
  const auto behind_name = std::copy(name.begin(), name.end(), slot.octets.begin());
  const auto kept = response.first(std::min(response.size(), kKeptOctets));
  std::copy(kept.begin(), kept.end(), behind_name);
  next_.store(number + 1, std::memory_order_release);
}

std::vector<QueryRecord> QueryLog::since(std::uint64_t number, std::size_t most) const {
  const std::uint64_t end = next_.load(std::memory_order_relaxed);
  number = std::max(number, end > kSlots ? end - kSlots : 0);
  std::vector<QueryRecord> records;
  for (; number < end && records.size() < most; ++number) {
    const Slot& slot = slots_[number % kSlots];
    QueryRecord& record = records.emplace_back();
    record.number = number;
    record.at = slot.at;
    record.client = boost::asio::ip::address_v6(slot.client);
    record.network = slot.network;
    record.transport = slot.transport;
    record.origin = slot.origin;
    record.type = slot.type;
    record.took = slot.took;
    record.response_size = slot.response_size;
    const std::span<const std::uint8_t> octets(slot.octets);
    std::size_t offset = 0;
    record.name = Name::parse(octets.first(slot.name_size), offset).value_or(Name());
    const auto response = octets.subspan(slot.name_size, std::min<std::size_t>(slot.response_size, kKeptOctets));
    record.response.assign(response.begin(), response.end());
  }
  return records;
}

}  // namespace flylocal::dns
