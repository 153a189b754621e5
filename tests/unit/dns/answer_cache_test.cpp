#include "dns/answer_cache.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/dns/wire.hpp"

using namespace flylocal::dns;
using namespace std::chrono_literals;
using wire::operator+;

namespace {

constexpr std::uint16_t kCname = 5;
const AnswerCache::TimePoint kStart{1000h};

Query parsed(const wire::Bytes& message) { return parse_query(message).query; }

QuestionKey key(std::string_view name, std::uint16_t type = wire::kA) { return QuestionKey(parsed(wire::query(name, type))); }

wire::Bytes positive(std::string_view name, std::initializer_list<std::uint32_t> ttls) {
  auto reply = wire::header({.flags = 0x8180, .answers = static_cast<std::uint16_t>(ttls.size())}) + wire::question(name, wire::kA);
  for (auto ttl : ttls) reply = reply + wire::record(wire::kA, ttl, {192, 0, 2, 1});
  return reply;
}

wire::Bytes soa(std::uint32_t ttl, std::uint32_t minimum) {
  auto data = wire::name("ns.example") + wire::name("hostmaster.example");
  for (std::uint32_t number : {1u, 2u, 3u, 4u, minimum}) {
    wire::put16(data, number >> 16);
    wire::put16(data, number & 0xFFFF);
  }
  return wire::record(wire::kSoa, ttl, data);
}

wire::Bytes negative(std::string_view name, std::uint16_t flags, const wire::Bytes& authority) {
  return wire::header({.flags = flags, .authorities = static_cast<std::uint16_t>(authority.empty() ? 0 : 1)}) +
         wire::question(name, wire::kA) + authority;
}

std::optional<wire::Message> found(AnswerCache& cache, const QuestionKey& question, AnswerCache::TimePoint now) {
  auto reply = cache.find(question, now);
  if (!reply) return std::nullopt;
  return wire::decode({reply->begin(), reply->end()});
}

/// For how many whole seconds a reply to an A question for example.org is found.
std::uint32_t kept(const wire::Bytes& reply, AnswerCacheOptions options = {}, const QuestionKey& question = key("example.org")) {
  std::uint32_t seconds = 0;
  // By halves up to twelve days, as finding an expired answer drops it.
  for (std::uint32_t step = 1u << 20; step != 0; step /= 2) {
    AnswerCache again(options);
    again.store(question, reply, kStart);
    if (again.find(question, kStart + std::chrono::seconds(seconds + step) - 1ms)) seconds += step;
  }
  return seconds;
}

}  // namespace

TEST_CASE("an answer is found until its least TTL has passed, whatever the case of the name (RFC 2181 5.2)") {
  AnswerCache cache;
  cache.store(key("Example.ORG"), positive("Example.ORG", {300, 60, 120}), kStart);
  CHECK(found(cache, key("eXample.org"), kStart)->answers.size() == 3);
  CHECK(cache.find(key("example.org"), kStart + 59'999ms));
  CHECK_FALSE(cache.find(key("example.org"), kStart + 60s));
  CHECK(cache.size() == 0);
  CHECK(cache.octets() == 0);
}

TEST_CASE("TTLs count down by whole seconds, over several looks, and never come to 0") {
  AnswerCache cache;
  cache.store(key("example.org"), positive("example.org", {300, 60}), kStart);
  auto ttls = [&](std::chrono::milliseconds later) {
    auto message = found(cache, key("example.org"), kStart + later).value();
    return std::pair(message.answers.at(0).ttl, message.answers.at(1).ttl);
  };
  CHECK(ttls(0ms) == std::pair(300u, 60u));
  CHECK(ttls(999ms) == std::pair(300u, 60u));
  CHECK(ttls(1500ms) == std::pair(299u, 59u));
  CHECK(ttls(1999ms) == std::pair(299u, 59u));
  // Parts of seconds are not lost between looks.
  CHECK(ttls(2000ms) == std::pair(298u, 58u));
  CHECK(ttls(59'999ms) == std::pair(241u, 1u));
}

TEST_CASE("all sections count down, but not OPT, whose field is no TTL (RFC 6891 6.1.3)") {
  auto reply = wire::header({.flags = 0x8180, .answers = 1, .authorities = 1, .additionals = 2}) +
               wire::question("example.org", wire::kA) + wire::record(wire::kA, 100, {192, 0, 2, 1}) +
               wire::record(wire::kNs, 200, {0xC0, 12}) + wire::record(wire::kA, 300, {192, 0, 2, 2}) + wire::opt(1232, 0x8000);
  AnswerCache cache;
  cache.store(key("example.org"), reply, kStart);
  auto message = found(cache, key("example.org"), kStart + 50s).value();
  CHECK(message.answers.at(0).ttl == 50);
  CHECK(message.authorities.at(0).ttl == 150);
  CHECK(message.additionals.at(0).ttl == 250);
  CHECK(message.opt()->ttl == 0x8000);
  CHECK(kept(reply) == 100);
}

TEST_CASE("an answer with a TTL of 0, or one whose highest bit is set, is not kept (RFC 1035 3.2.1, RFC 2181 8)") {
  CHECK(kept(positive("example.org", {0})) == 0);
  CHECK(kept(positive("example.org", {60, 0})) == 0);
  CHECK(kept(positive("example.org", {0x80000000})) == 0);
  CHECK(kept(positive("example.org", {1})) == 1);
}

TEST_CASE("no answer is kept for more than a day, nor given out with a TTL of more") {
  CHECK(kept(positive("example.org", {0x7FFFFFFF})) == 86400);
  AnswerCache cache;
  cache.store(key("example.org"), positive("example.org", {604800, 172800}), kStart);
  auto message = found(cache, key("example.org"), kStart + 86399s).value();
  CHECK(message.answers.at(0).ttl == 1);
  CHECK(message.answers.at(1).ttl == 1);
}

TEST_CASE("negative answers are kept for the lesser of the SOA's TTL and MINIMUM (RFC 2308 5)") {
  for (std::uint16_t flags : {0x8180, 0x8183}) {
    CHECK(kept(negative("example.org", flags, soa(900, 60))) == 60);
    CHECK(kept(negative("example.org", flags, soa(30, 600))) == 30);
    CHECK(kept(negative("example.org", flags, soa(900, 0))) == 0);
    CHECK(kept(negative("example.org", flags, soa(86400, 86400))) == 3 * 3600);
  }
  AnswerCache cache;
  cache.store(key("example.org"), negative("example.org", 0x8183, soa(900, 60)), kStart);
  // The SOA's TTL tells the asker the same (RFC 2308 5).
  CHECK(found(cache, key("example.org"), kStart + 10s)->authorities.at(0).ttl == 50);
}

TEST_CASE("negative answers without an SOA are not kept, and an NS in its place is a referral (RFC 2308 2.2, 5)") {
  for (std::uint16_t flags : {0x8180, 0x8183}) {
    CHECK(kept(negative("example.org", flags, {})) == 0);
    CHECK(kept(negative("example.org", flags, wire::record(wire::kNs, 60, {0xC0, 12}))) == 0);
    // Too short to hold a MINIMUM.
    CHECK(kept(negative("example.org", flags, wire::record(wire::kSoa, 60, {0, 0, 1, 1, 1, 1}))) == 0);
  }
}

TEST_CASE("an alias that leads to no address is a negative answer (RFC 2308 2.2)") {
  auto question = wire::question("example.org", wire::kA);
  auto alias = wire::record(kCname, 20, wire::name("other.example"));
  CHECK(kept(wire::header({.flags = 0x8180, .answers = 1}) + question + alias) == 0);
  CHECK(kept(wire::header({.flags = 0x8180, .answers = 1, .authorities = 1}) + question + alias + soa(900, 600)) == 20);
  CHECK(kept(wire::header({.flags = 0x8180, .answers = 1, .authorities = 1}) + question + alias + soa(900, 10)) == 10);
  CHECK(kept(wire::header({.flags = 0x8180, .answers = 2}) + question + alias + wire::record(wire::kA, 60, {192, 0, 2, 1})) == 20);
  // Who asks for aliases, or for anything, has what was asked for.
  CHECK(kept(wire::header({.flags = 0x8180, .answers = 1}) + wire::question("example.org", kCname) + alias, {},
             key("example.org", kCname)) == 20);
  CHECK(kept(wire::header({.flags = 0x8180, .answers = 1}) + wire::question("example.org", wire::kAny) + alias, {},
             key("example.org", wire::kAny)) == 20);
}

TEST_CASE("SERVFAIL and REFUSED are kept for five seconds, other complaints not at all (RFC 9520 3.2)") {
  CHECK(kept(negative("example.org", 0x8182, {})) == 5);
  CHECK(kept(negative("example.org", 0x8185, {})) == 5);
  CHECK(kept(negative("example.org", 0x8181, {})) == 0);
  CHECK(kept(negative("example.org", 0x8184, {})) == 0);
}

TEST_CASE("that no upstream answers is known for a second") {
  AnswerCache cache;
  cache.store_silence(key("example.org"), kStart);
  auto reply = cache.find(key("example.org"), kStart + 999ms);
  REQUIRE(reply);
  CHECK(reply->empty());
  CHECK_FALSE(cache.find(key("example.org"), kStart + 1s));
}

TEST_CASE("what is no whole response to a question is not kept") {
  auto whole = positive("example.org", {60});
  auto truncated = positive("example.org", {60});
  truncated[2] |= 0x02;
  auto cut = whole;
  cut.pop_back();
  auto a_query = whole;
  a_query[2] &= 0x7F;
  auto no_question = wire::header({.flags = 0x8182, .questions = 0});
  CHECK(kept(whole) == 60);
  for (auto& reply : {truncated, cut, a_query, no_question, wire::Bytes{}}) CHECK(kept(reply) == 0);
}

TEST_CASE("octets behind the message are not kept") {
  AnswerCache cache;
  cache.store(key("example.org"), positive("example.org", {60}) + wire::Bytes(100, 7), kStart);
  CHECK(found(cache, key("example.org"), kStart)->answers.size() == 1);  // decode() refuses octets too many
}

TEST_CASE("name, type, class, DO and CD tell questions apart; id, RD, spelling and the rest of EDNS do not") {
  const QuestionKey plain = key("example.org");
  auto same = [&](const wire::Bytes& query) { return QuestionKey(parsed(query)).view() == plain.view(); };
  CHECK(same(wire::query("EXAMPLE.org", wire::kA, {.id = 7, .flags = 0})));
  CHECK(same(wire::edns_query("example.org", wire::kA, 4096)));
  CHECK_FALSE(same(wire::query("example.com", wire::kA)));
  CHECK_FALSE(same(wire::query("example.org", wire::kAaaa)));
  CHECK_FALSE(same(wire::header({}) + wire::question("example.org", wire::kA, 3)));
  CHECK_FALSE(same(wire::edns_query("example.org", wire::kA, 1232, 0x8000)));
  CHECK_FALSE(same(wire::query("example.org", wire::kA, {.flags = 0x0110})));
  auto both = wire::query("example.org", wire::kA, {.flags = 0x0110, .additionals = 1}) + wire::opt(1232, 0x8000);
  CHECK_FALSE(same(both));
  CHECK(QuestionKey(parsed(both)).view() != QuestionKey(parsed(wire::edns_query("example.org", wire::kA, 1232, 0x8000))).view());
  // The longest name there is.
  std::string label(63, 'a');
  CHECK(key(label + "." + label + "." + label + "." + std::string(61, 'a')).view().size() == 255 + 5);
}

TEST_CASE("the answer that was not looked at for longest goes first when there are too many") {
  AnswerCache cache({.max_entries = 3});
  for (auto name : {"a.example", "b.example", "c.example"}) cache.store(key(name), positive(name, {60}), kStart);
  CHECK(cache.find(key("a.example"), kStart));
  cache.store(key("d.example"), positive("d.example", {60}), kStart);
  CHECK(cache.size() == 3);
  CHECK_FALSE(cache.find(key("b.example"), kStart));
  for (auto name : {"a.example", "c.example", "d.example"}) CHECK(cache.find(key(name), kStart));
}

TEST_CASE("octets are bounded: many small answers go for a large one, and one that is too large alone changes nothing") {
  constexpr std::size_t kMost = 10'000;
  AnswerCache cache({.max_octets = kMost});
  auto name = [](int i) { return "n" + std::to_string(i) + ".example"; };
  for (int i = 0; i < 1000; ++i) {
    cache.store(key(name(i)), positive(name(i), {60}), kStart);
    REQUIRE(cache.octets() <= kMost);
  }
  const std::size_t small = cache.size();
  CHECK(small > 10);
  CHECK(cache.find(key(name(999)), kStart));

  auto large = [](std::string_view of, std::size_t size) {
    auto reply = wire::header({.flags = 0x8180, .answers = 1}) + wire::question(of, wire::kTxt);
    return reply + wire::record(wire::kTxt, 60, wire::Bytes(size, 'x'));
  };
  cache.store(key("large.example", wire::kTxt), large("large.example", 8000), kStart);
  CHECK(cache.octets() <= kMost);
  CHECK(cache.size() < small);
  CHECK(cache.find(key("large.example", wire::kTxt), kStart));
  const std::size_t before = cache.size();
  cache.store(key("larger.example", wire::kTxt), large("larger.example", kMost), kStart);
  CHECK(cache.size() == before);
  CHECK_FALSE(cache.find(key("larger.example", wire::kTxt), kStart));
}

TEST_CASE("a newer answer takes the place of an older one") {
  AnswerCache cache;
  cache.store(key("example.org"), positive("example.org", {60}), kStart);
  cache.store(key("example.org"), positive("example.org", {60, 60}), kStart + 30s);
  CHECK(cache.size() == 1);
  CHECK(found(cache, key("example.org"), kStart + 80s)->answers.size() == 2);
  cache.store_silence(key("example.org"), kStart + 80s);
  CHECK(cache.find(key("example.org"), kStart + 80s)->empty());
}
