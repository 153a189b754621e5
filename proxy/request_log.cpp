#include "proxy/request_log.hpp"

#include <algorithm>
#include <cstring>

namespace flylocal::proxy {
namespace {

// Longer ones are cut, so that the target gets some room in any case.
constexpr std::size_t kLongestHost = 255;
constexpr std::size_t kLongestText = 64;

/// Where GCC knows that a text is short it copies by an instruction that takes long to begin; a call is quicker.
[[gnu::noinline]] char* copy(std::string_view text, char* out) {
  // An empty view may have no address.
  return text.empty() ? out : static_cast<char*>(std::memcpy(out, text.data(), text.size())) + text.size();
}

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

// Memory that was never written to costs none.
RequestLog::RequestLog() : texts_(std::make_unique_for_overwrite<char[]>(kTextRing)) { slots_.reserve(kSlots); }

void RequestLog::note(const RequestRecord& record) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = next_.load(std::memory_order_relaxed);
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
  if (texts_end_ > kTextRing - kTextRoom) texts_end_ = 0;
  slot.text_begin = static_cast<std::uint32_t>(texts_end_);
  char* const begin = texts_.get() + texts_end_;
  char* end = begin;
  std::uint16_t* size_of_next = slot.sizes.data();
  const auto add = [&](std::string_view text, std::size_t longest) {
    const std::size_t size = std::min({text.size(), longest, kTextRoom - static_cast<std::size_t>(end - begin)});
    end = copy(text.substr(0, size), end);
    *size_of_next++ = static_cast<std::uint16_t>(size);
  };
  for (std::string_view text : {record.edge_region, record.client, record.app, record.machine, record.region, record.choice, record.woken,
                                record.request_id, record.method, record.error, record.detail}) {
    add(text, kLongestText);
  }
  add(record.host, kLongestHost);
  add(record.target, kTextRoom);
  texts_end_ += static_cast<std::size_t>(end - begin);
  next_.store(number + 1, std::memory_order_release);
}

std::vector<LoggedRequest> RequestLog::since(std::uint64_t number, std::size_t most) const {
  const std::lock_guard lock(mutex_);
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
    const char* text = texts_.get() + slot.text_begin;
    for (std::size_t i = 0; i < kTexts; ++i) {
      texts[i]->assign(text, slot.sizes[i]);
      text += slot.sizes[i];
    }
  }
  return requests;
}

}  // namespace flylocal::proxy
