#include "proxy/request_log.hpp"

#include <algorithm>
#include <cstring>

namespace flylocal::proxy {
namespace {

// Longer ones are cut, so that the target gets some room in any case.
constexpr std::size_t kLongestHost = 255;
constexpr std::size_t kLongestText = 64;

}  // namespace

std::string_view name(ClientProtocol protocol) {
  switch (protocol) {
    case ClientProtocol::http10:
      return "HTTP/1.0";
    case ClientProtocol::http11:
      return "HTTP/1.1";
    case ClientProtocol::http2:
      return "HTTP/2";
    case ClientProtocol::tls:
      return "TLS";
    default:
      return "TCP";
  }
}

void RequestLog::note(const RequestRecord& record) {
  const std::uint64_t number = next_.load(std::memory_order_relaxed);
  // Memory that was never written to costs none.
  if (slots_.size() < kSlots) slots_.emplace_back();
  Slot& slot = slots_[number % kSlots];
  slot.numbers = {.at = record.at,
                  .queue = record.queue,
                  .wake = record.wake,
                  .connect = record.connect,
                  .first_byte = record.first_byte,
                  .total = record.total,
                  .bytes_up = record.bytes_up,
                  .bytes_down = record.bytes_down,
                  .retries = record.retries,
                  .status = record.status,
                  .protocol = record.protocol,
                  .secure = record.secure,
                  .aborted = record.aborted,
                  .reused = record.reused};
  const std::string_view texts[kTexts] = {record.edge_region, record.client,     record.app,    record.machine,
                                          record.region,      record.choice,     record.woken,  record.request_id,
                                          record.method,      record.error,      record.detail, record.host,
                                          record.target};
  std::size_t used = 0;
  for (std::size_t i = 0; i < kTexts; ++i) {
    const std::size_t longest = i == kTexts - 1 ? kTextRoom : i == kTexts - 2 ? kLongestHost : kLongestText;
    const std::size_t size = std::min({texts[i].size(), longest, kTextRoom - used});
    // An empty view may have no address.
    if (size > 0) std::memcpy(slot.octets.data() + used, texts[i].data(), size);
    slot.sizes[i] = static_cast<std::uint16_t>(size);
    used += size;
  }
  next_.store(number + 1, std::memory_order_release);
}

std::vector<LoggedRequest> RequestLog::since(std::uint64_t number, std::size_t most) const {
  const std::uint64_t end = next_.load(std::memory_order_relaxed);
  number = std::max(number, end > kSlots ? end - kSlots : 0);
  std::vector<LoggedRequest> requests;
  for (; number < end && requests.size() < most; ++number) {
    const Slot& slot = slots_[number % kSlots];
    const Numbers& numbers = slot.numbers;
    LoggedRequest& request = requests.emplace_back();
    request.number = number;
    request.at = numbers.at;
    request.protocol = numbers.protocol;
    request.secure = numbers.secure;
    request.aborted = numbers.aborted;
    request.reused = numbers.reused;
    request.status = numbers.status;
    request.retries = numbers.retries;
    request.bytes_up = numbers.bytes_up;
    request.bytes_down = numbers.bytes_down;
    request.queue = numbers.queue;
    request.wake = numbers.wake;
    request.connect = numbers.connect;
    request.first_byte = numbers.first_byte;
    request.total = numbers.total;
    std::string* const texts[kTexts] = {&request.edge_region, &request.client, &request.app,    &request.machine,
                                        &request.region,      &request.choice, &request.woken,  &request.request_id,
                                        &request.method,      &request.error,  &request.detail, &request.host,
                                        &request.target};
    std::size_t at = 0;
    for (std::size_t i = 0; i < kTexts; ++i) {
      texts[i]->assign(slot.octets.data() + at, slot.sizes[i]);
      at += slot.sizes[i];
    }
  }
  return requests;
}

}  // namespace flylocal::proxy
