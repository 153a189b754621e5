#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/api/control_server.hpp"
#include "flylocal/sandbox/log_hub.hpp"

namespace flylocal::api {

/// A ring of numbered records that other threads write, and how they are shown.
template <class Record>
struct LogSource {
  std::function<std::uint64_t()> end;                                                   ///< the next record's number; any thread
  std::function<Task<std::vector<Record>>(std::uint64_t from, std::size_t most)> since;  ///< oldest first
  std::function<std::optional<boost::json::object>(const Record&)> line;                ///< nothing: the caller did not ask for it
  std::uint64_t slots = 0;                                                              ///< more records than these are never kept
};

/// Streams the ring as a JSON object a line, until the caller or the sandbox ends: what is there already, and with
/// follow=1 what is still to come. since=NUMBER begins there, limit=COUNT keeps only the last ones of what is there
/// already. {"missed": N} stands for records that were overwritten before they could be read.
template <class Record>
Task<> stream_log(sandbox::LogHub& hub, const Request& request, Stream& stream, const LogSource<Record>& source) {
  using namespace std::chrono_literals;
  using namespace asio::experimental::awaitable_operators;
  namespace json = boost::json;
  // Its writers have other work: the ring is read in small parts, and looked at rarely enough.
  constexpr std::size_t kRecordsAtOnce = 128;
  constexpr auto kLookAgain = 100ms;
  const auto number_of = [&request](const char* key, std::uint64_t otherwise) -> std::optional<std::uint64_t> {
    const std::string text = request.get(key);
    if (text.empty()) return otherwise;
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failed == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
  };
  const bool follow = request.get("follow") == "1";
  const std::uint64_t now = source.end();
  const auto since = number_of("since", now > source.slots ? now - source.slots : 0);
  const auto most = number_of("limit", source.slots);
  if (!since || !most) {
    co_await stream.refuse(Reply::error(400, "since and limit: allowed: a number"));
    co_return;
  }
  const bool accepted = co_await stream.accept();
  if (!accepted) co_return;

  std::uint64_t next = *since;
  // What is there already has to be seen whole, before the last `most` of it are known.
  std::deque<std::string> past;
  std::uint64_t missed = 0;
  std::string chunk;
  for (;;) {
    const std::vector<Record> records = co_await source.since(next, kRecordsAtOnce);
    for (const Record& record : records) {
      missed += record.number - next;
      next = record.number + 1;
      const std::optional<json::object> shown = source.line(record);
      if (!shown) continue;
      std::string line = json::serialize(*shown) + "\n";
      if (record.number >= now) {
        chunk += line;
        continue;
      }
      past.push_back(std::move(line));
      if (past.size() > *most) past.pop_front();
    }
    if (next < now && !records.empty()) continue;
    std::string text = missed > 0 ? json::serialize(json::object{{"missed", missed}}) + "\n" : std::string();
    missed = 0;
    for (std::string& line : past) text += line;
    past.clear();
    text += chunk;
    chunk.clear();
    const bool written = co_await stream.write(text);
    if (!written) co_return;
    if (!follow && next >= now) co_return;
    while (next >= source.end()) {
      if (!follow || hub.is_closed()) co_return;
      // A client that goes away says so by the end of what it sends.
      auto woken = co_await (sleep_for(kLookAgain) || stream.read());
      if (woken.index() == 1) co_return;
    }
  }
}

}  // namespace flylocal::api
