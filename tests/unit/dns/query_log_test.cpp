#include "dns/query_log.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/dns/wire.hpp"

using namespace flylocal::dns;
using namespace std::chrono_literals;

namespace {

const auto kClient = boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2");

Name name_of(std::string_view text) { return Name::from_text(text).value(); }

void note(QueryLog& log, std::string_view name, std::span<const std::uint8_t> response) {
  log.note({kClient, NetworkId{0x18}, Transport::tcp, Origin::cache, name_of(name), RecordType::aaaa, 250us}, response);
}

}  // namespace

TEST_CASE("a note is read again as it was written") {
  QueryLog log;
  const wire::Bytes response = wire::query("Web.internal", wire::kAaaa);
  const auto before = std::chrono::system_clock::now();
  note(log, "Web.internal", response);
  CHECK(log.version() == 1);
  const auto records = log.since(0, 10);
  REQUIRE(records.size() == 1);
  const QueryRecord& one = records.front();
  CHECK(one.number == 0);
  CHECK(one.client == kClient);
  CHECK(one.network == NetworkId{0x18});
  CHECK(one.transport == Transport::tcp);
  CHECK(one.origin == Origin::cache);
  CHECK(one.name.text() == "Web.internal.");  // in the asker's spelling
  CHECK(one.type == RecordType::aaaa);
  CHECK(one.took == 250us);
  CHECK(one.response == response);
  CHECK(one.response_size == response.size());
  // The clock is a coarse one.
  CHECK(one.at - before < 1s);
  CHECK(before - one.at < 1s);
}

TEST_CASE("an empty log has nothing to read") {
  QueryLog log;
  CHECK(log.version() == 0);
  CHECK(log.since(0, 10).empty());
  CHECK(log.since(7, 10).empty());
}

TEST_CASE("reading goes on from a number, in parts") {
  QueryLog log;
  for (int i = 0; i < 10; ++i) note(log, "n" + std::to_string(i), {});
  const auto part = log.since(3, 4);
  REQUIRE(part.size() == 4);
  CHECK(part.front().number == 3);
  CHECK(part.front().name.text() == "n3.");
  CHECK(part.back().number == 6);
  CHECK(log.since(7, 100).size() == 3);
  CHECK(log.since(10, 100).empty());
}

TEST_CASE("a full log keeps the newest, and tells by the number what is gone") {
  QueryLog log;
  const std::size_t total = QueryLog::kSlots + 5;
  for (std::size_t i = 0; i < total; ++i) note(log, "n" + std::to_string(i), {});
  CHECK(log.version() == total);
  const auto records = log.since(0, total);
  REQUIRE(records.size() == QueryLog::kSlots);
  for (std::size_t i = 0; i < records.size(); ++i) {
    REQUIRE(records[i].number == i + 5);
    REQUIRE(records[i].name.text() == "n" + std::to_string(i + 5) + ".");
  }
}

TEST_CASE("a long response is cut, and its size is kept") {
  QueryLog log;
  wire::Bytes response(3000);
  for (std::size_t i = 0; i < response.size(); ++i) response[i] = static_cast<std::uint8_t>(i);
  note(log, "long.internal", response);
  const auto record = log.since(0, 1).front();
  CHECK(record.response_size == 3000);
  REQUIRE(record.response.size() == QueryLog::kKeptOctets);
  CHECK(std::equal(record.response.begin(), record.response.end(), response.begin()));
}

TEST_CASE("the longest name and a long response do not touch each other, or the next slot") {
  QueryLog log;
  Name longest;
  while (longest.append_label(std::string(61, 'x'))) {
  }
  while (longest.append_label("y")) {
  }
  REQUIRE(longest.wire().size() >= Name::kMaxWireSize - 1);
  const wire::Bytes response(QueryLog::kKeptOctets, 0xAB);
  for (int i = 0; i < 2; ++i) log.note({kClient, NetworkId{1}, Transport::udp, Origin::zone, longest, RecordType::a, 0ns}, response);
  for (const QueryRecord& record : log.since(0, 2)) {
    CHECK(record.name == longest);
    CHECK(record.response == response);
    CHECK(record.origin == Origin::zone);
  }
}

TEST_CASE("a slot that is used again shows nothing of what it held before") {
  QueryLog log;
  note(log, "a.rather.long.name.internal", wire::Bytes(400, 0xFF));
  for (std::size_t i = 0; i < QueryLog::kSlots; ++i) note(log, "b", wire::Bytes{1, 2, 3});
  const auto record = log.since(QueryLog::kSlots, 1).front();
  CHECK(record.name.text() == "b.");
  CHECK(record.response == wire::Bytes{1, 2, 3});
}
