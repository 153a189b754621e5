#include "dns/question_journal.hpp"

#include <cstring>

namespace flylocal::dns {
namespace {

constexpr std::size_t kAddressSize = 16;

std::string text_of_wire(std::string_view wire) {
  std::string text;
  for (std::size_t at = 0; at < wire.size() && wire[at] != 0; at += 1 + static_cast<unsigned char>(wire[at])) {
    if (!text.empty()) text += '.';
    text += wire.substr(at + 1, static_cast<unsigned char>(wire[at]));
  }
  return text;
}

}  // namespace

void QuestionJournal::note(const boost::asio::ip::address_v6& client, const Name& name, Family family) {
  const auto octets = client.to_bytes();
  key_.assign(reinterpret_cast<const char*>(octets.data()), octets.size());
  const Name lower = name.lower_case();
  key_ += lower.wire();
  auto found = entries_.find(key_);
  if (found == entries_.end()) {
    if (entries_.size() >= kMaxEntries) return;
    found = entries_.emplace(key_, Entry{false, false, std::chrono::steady_clock::now()}).first;
  }
  bool& asked = family == Family::kIpv4 ? found->second.asked_ipv4 : found->second.asked_ipv6;
  if (asked) return;
  asked = true;
  version_.fetch_add(1, std::memory_order_release);
}

std::vector<AddressQuestion> QuestionJournal::questions() const {
  std::vector<AddressQuestion> result;
  for (const auto& [key, entry] : entries_) {
    boost::asio::ip::address_v6::bytes_type octets;
    std::memcpy(octets.data(), key.data(), kAddressSize);
    result.push_back({boost::asio::ip::address_v6(octets), text_of_wire(std::string_view(key).substr(kAddressSize)), entry.asked_ipv4,
                      entry.asked_ipv6, entry.first_asked});
  }
  return result;
}

}  // namespace flylocal::dns
