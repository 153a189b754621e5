#include "dns/question_journal.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace flylocal::dns;
using boost::asio::ip::make_address_v6;
using Family = QuestionJournal::Family;

namespace {

const auto kWeb = make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2");
const auto kWorker = make_address_v6("fdaa:0:18:a7b:7d:1111:2222:2");

Name name(std::string_view text) { return Name::from_text(text).value(); }

/// The entry of a client and a name; there has to be exactly one.
AddressQuestion entry(const QuestionJournal& journal, const boost::asio::ip::address_v6& client, std::string_view text) {
  const auto all = journal.questions();
  auto fits = [&](const AddressQuestion& one) { return one.client == client && one.name == text; };
  REQUIRE(std::count_if(all.begin(), all.end(), fits) == 1);
  return *std::find_if(all.begin(), all.end(), fits);
}

}  // namespace

TEST_CASE("a journal that was told nothing is empty") {
  const QuestionJournal journal;
  CHECK(journal.questions().empty());
}

TEST_CASE("which families a client asked for is remembered per client and name") {
  QuestionJournal journal;
  journal.note(kWeb, name("db.internal"), Family::kIpv4);
  journal.note(kWeb, name("cache.internal"), Family::kIpv4);
  journal.note(kWeb, name("cache.internal"), Family::kIpv6);
  journal.note(kWorker, name("db.internal"), Family::kIpv6);
  CHECK(journal.questions().size() == 3);
  const AddressQuestion db = entry(journal, kWeb, "db.internal");
  CHECK(db.asked_ipv4);
  CHECK_FALSE(db.asked_ipv6);
  const AddressQuestion cache = entry(journal, kWeb, "cache.internal");
  CHECK(cache.asked_ipv4);
  CHECK(cache.asked_ipv6);
  const AddressQuestion other = entry(journal, kWorker, "db.internal");
  CHECK_FALSE(other.asked_ipv4);
  CHECK(other.asked_ipv6);
}

TEST_CASE("a name is one name in any case, and is told in lower case without the last dot") {
  QuestionJournal journal;
  journal.note(kWeb, name("Top1.Nearest.Of.DB.Internal."), Family::kIpv4);
  journal.note(kWeb, name("top1.nearest.of.db.internal"), Family::kIpv6);
  REQUIRE(journal.questions().size() == 1);
  const AddressQuestion one = entry(journal, kWeb, "top1.nearest.of.db.internal");
  CHECK((one.asked_ipv4 && one.asked_ipv6));
}

TEST_CASE("names whose labels are cut differently are different") {
  QuestionJournal journal;
  journal.note(kWeb, name("a.bc.internal"), Family::kIpv4);
  journal.note(kWeb, name("ab.c.internal"), Family::kIpv4);
  CHECK(journal.questions().size() == 2);
  entry(journal, kWeb, "a.bc.internal");
  entry(journal, kWeb, "ab.c.internal");
}

TEST_CASE("the version grows with what is new and with nothing else") {
  QuestionJournal journal;
  auto grows = [&](const boost::asio::ip::address_v6& client, const char* text, Family family) {
    const auto before = journal.version();
    journal.note(client, name(text), family);
    return journal.version() > before;
  };
  CHECK(grows(kWeb, "db.internal", Family::kIpv4));
  CHECK_FALSE(grows(kWeb, "db.internal", Family::kIpv4));
  CHECK_FALSE(grows(kWeb, "DB.internal", Family::kIpv4));
  CHECK(grows(kWeb, "db.internal", Family::kIpv6));
  CHECK_FALSE(grows(kWeb, "db.internal", Family::kIpv6));
  CHECK(grows(kWorker, "db.internal", Family::kIpv6));
  CHECK(grows(kWeb, "cache.internal", Family::kIpv6));
}

TEST_CASE("the first question's time stays") {
  QuestionJournal journal;
  const auto before = std::chrono::steady_clock::now();
  journal.note(kWeb, name("db.internal"), Family::kIpv4);
  const auto first = entry(journal, kWeb, "db.internal").first_asked;
  CHECK((before <= first && first <= std::chrono::steady_clock::now()));
  journal.note(kWeb, name("db.internal"), Family::kIpv6);
  journal.note(kWeb, name("db.internal"), Family::kIpv4);
  CHECK(entry(journal, kWeb, "db.internal").first_asked == first);
}

TEST_CASE("a journal that is full takes no further name, and still learns of those it has") {
  QuestionJournal journal;
  for (std::size_t i = 0; i < QuestionJournal::kMaxEntries; ++i) journal.note(kWeb, name("a" + std::to_string(i) + ".internal"), Family::kIpv4);
  CHECK(journal.questions().size() == QuestionJournal::kMaxEntries);
  const auto version = journal.version();
  journal.note(kWeb, name("one-more.internal"), Family::kIpv4);
  CHECK(journal.questions().size() == QuestionJournal::kMaxEntries);
  CHECK(journal.version() == version);
  journal.note(kWeb, name("a7.internal"), Family::kIpv6);
  CHECK(journal.version() > version);
  CHECK(entry(journal, kWeb, "a7.internal").asked_ipv6);
}
