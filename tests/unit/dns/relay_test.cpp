#include <catch2/catch.hpp>

#include "dns/relay.hpp"
#include "tests/unit/dns/wire.hpp"

using namespace flylocal::dns;
using wire::operator+;

namespace {

Query parsed(const wire::Bytes& message) {
  auto query = parse_query(message);
  REQUIRE(query.verdict == ParsedQuery::Verdict::well_formed);
  return query.query;
}

wire::Bytes a_record(std::uint8_t last) {
  return wire::record(wire::kA, 60, {192, 0, 2, last});
}

wire::Bytes a_records(unsigned count) {
  wire::Bytes out;
  for (unsigned i = 0; i < count; ++i) out = out + a_record(static_cast<std::uint8_t>(i));
  return out;
}

struct Sent {
  Relayed relayed;
  wire::Message message;
};

Sent send(const wire::Bytes& query, const wire::Bytes& reply, Transport transport = Transport::udp) {
  wire::Bytes response;
  auto relayed = relay(parsed(query), reply, transport, response);
  return {relayed, wire::decode(response)};
}

}  // namespace

TEST_CASE("the upstream is asked our own question: new id, RD, and EDNS only where the asker has it") {
  auto plain = wire::decode(write_query(parsed(wire::query("eXample.org", wire::kA, {.flags = 0})), 0xABCD));
  CHECK(plain.id == 0xABCD);
  CHECK_FALSE(plain.response);
  CHECK(plain.recursion_desired);
  CHECK(plain.qname == "eXample.org.");
  CHECK(plain.qtype == wire::kA);
  CHECK(plain.additionals.empty());

  auto options =
      wire::query("example.org", wire::kA, {.additionals = 1}) + wire::opt(4096, 0x8000, {0, 10, 0, 1, 9});
  auto edns = wire::decode(write_query(parsed(options), 1));
  REQUIRE(edns.opt());
  CHECK(edns.opt()->record_class == 1232);
  CHECK(edns.opt()->ttl == 0x8000);
  CHECK(edns.opt()->data.empty());  // options are for one hop (RFC 6891 6.1.1)
}

TEST_CASE("a reply goes to the asker with its own id, RD and spelling") {
  auto reply = wire::header({.id = 0x7777, .flags = 0x8180, .answers = 1}) +
               wire::question("example.org", wire::kA) + a_record(1);
  auto sent = send(wire::query("ExAmPlE.org", wire::kA, {.id = 0x4242, .flags = 0}), reply);
  CHECK(sent.relayed == Relayed::whole);
  CHECK(sent.message.id == 0x4242);
  CHECK(sent.message.qname == "ExAmPlE.org.");
  CHECK_FALSE(sent.message.recursion_desired);
  CHECK(sent.message.recursion_available);
  CHECK_FALSE(sent.message.authoritative);
  REQUIRE(sent.message.answers.size() == 1);
  CHECK(sent.message.answers[0].ttl == 60);
}

TEST_CASE("rcodes come through") {
  auto reply = wire::header({.flags = 0x8183}) + wire::question("nosuch.example", wire::kA);
  CHECK(send(wire::query("nosuch.example", wire::kA), reply).message.rcode == 3);
}

TEST_CASE("OPT is per hop: ours replaces the upstream's, and is there exactly for those who sent one") {
  auto question = wire::question("example.org", wire::kA);
  auto with_opt = wire::header({.flags = 0x8180, .answers = 1, .additionals = 1}) + question + a_record(1) +
                  wire::opt(512, 0, {0, 15, 0, 2, 0, 3});
  auto without_opt = wire::header({.flags = 0x8180, .answers = 1}) + question + a_record(1);
  for (auto& reply : {with_opt, without_opt}) {
    auto to_edns = send(wire::edns_query("example.org", wire::kA, 4096, 0x8000), reply);
    REQUIRE(to_edns.message.additionals.size() == 1);
    CHECK(to_edns.message.opt()->record_class == 1232);
    CHECK(to_edns.message.opt()->ttl == 0x8000);
    CHECK(to_edns.message.answers.size() == 1);
    auto to_plain = send(wire::query("example.org", wire::kA), reply);
    CHECK(to_plain.message.additionals.empty());
    CHECK(to_plain.message.answers.size() == 1);
  }
}

TEST_CASE("an extended rcode of the upstream's OPT comes through to askers with EDNS") {
  auto reply = wire::header({.flags = 0x8187, .additionals = 1}) + wire::question("example.org", wire::kA) +
               wire::opt(512, 1u << 24);  // 0x17: BADCOOKIE
  auto sent = send(wire::edns_query("example.org", wire::kA, 1232), reply);
  CHECK(sent.message.rcode == 7);
  CHECK(sent.message.opt()->ttl == 1u << 24);
}

TEST_CASE("a reply is cut at a record to what the asker's UDP takes, and whole over TCP") {
  auto reply = wire::header({.flags = 0x8180, .answers = 100, .authorities = 1, .additionals = 1}) +
               wire::question("example.org", wire::kA) + a_records(100) +
               wire::record(wire::kNs, 60, {0xC0, 12}) + wire::opt(4096);
  auto plain = send(wire::query("example.org", wire::kA), reply);
  CHECK(plain.relayed == Relayed::truncated);
  CHECK(plain.message.truncated);
  CHECK(plain.message.size <= 512);
  CHECK(plain.message.answers.size() == (512 - 12 - 17) / 16);
  CHECK(plain.message.authorities.empty());
  CHECK(plain.message.additionals.empty());

  auto edns = send(wire::edns_query("example.org", wire::kA, 4096), reply);
  CHECK(edns.message.truncated);
  CHECK(edns.message.size <= 1232);
  CHECK(edns.message.answers.size() == (1232 - 11 - 12 - 17) / 16);
  CHECK(edns.message.additionals.size() == 1);

  auto tcp = send(wire::query("example.org", wire::kA), reply, Transport::tcp);
  CHECK(tcp.relayed == Relayed::whole);
  CHECK_FALSE(tcp.message.truncated);
  CHECK(tcp.message.answers.size() == 100);
  CHECK(tcp.message.authorities.size() == 1);
}

TEST_CASE("additional records that do not fit are left out, which is no truncation (RFC 2181 9)") {
  auto reply = wire::header({.flags = 0x8180, .answers = 2, .authorities = 1, .additionals = 41}) +
               wire::question("example.org", wire::kA) + a_records(2) + wire::record(wire::kNs, 60, {0xC0, 12}) + a_records(40) +
               wire::opt(4096);
  auto plain = send(wire::query("example.org", wire::kA), reply);
  CHECK(plain.relayed == Relayed::whole);
  CHECK_FALSE(plain.message.truncated);
  CHECK(plain.message.answers.size() == 2);
  CHECK(plain.message.authorities.size() == 1);
  CHECK(plain.message.additionals.empty());

  auto edns = send(wire::edns_query("example.org", wire::kA, 600), reply);
  CHECK(edns.relayed == Relayed::whole);
  CHECK(edns.message.answers.size() == 2);
  REQUIRE(edns.message.additionals.size() == 1);
  CHECK(edns.message.opt());

  auto tcp = send(wire::query("example.org", wire::kA), reply, Transport::tcp);
  CHECK(tcp.message.additionals.size() == 40);
}

TEST_CASE("what tells that there is no data must not be missing without TC") {
  // The authority section alone is too long.
  auto reply = wire::header({.flags = 0x8180, .authorities = 40}) + wire::question("example.org", wire::kA) + a_records(40);
  auto plain = send(wire::query("example.org", wire::kA), reply);
  CHECK(plain.relayed == Relayed::truncated);
  CHECK(plain.message.truncated);
}

TEST_CASE("one record that is too large leaves an empty answer with TC") {
  auto reply = wire::header({.flags = 0x8180, .answers = 1}) + wire::question("example.org", wire::kTxt) +
               wire::record(wire::kTxt, 60, wire::Bytes(600, 'x'));
  auto sent = send(wire::query("example.org", wire::kTxt), reply);
  CHECK(sent.message.truncated);
  CHECK(sent.message.answers.empty());
}

TEST_CASE("octets behind the last record of a reply are not passed on") {
  auto reply = wire::header({.flags = 0x8180, .answers = 1}) + wire::question("example.org", wire::kA) +
               a_record(1) + wire::Bytes{1, 2, 3};
  CHECK(send(wire::query("example.org", wire::kA), reply).message.answers.size() == 1);
}

TEST_CASE("an unusable reply becomes SERVFAIL") {
  auto question = wire::question("example.org", wire::kA);
  for (auto& reply : {
           wire::Bytes{}, wire::header({.flags = 0x8180, .answers = 1}) + question,  // a record is missing
           wire::header({.flags = 0x8180, .questions = 0}),
           wire::header({.flags = 0x0180}) + question,  // a query
           wire::header({.flags = 0x8180}) + wire::question("example.com", wire::kA),
           wire::header({.flags = 0x8380}) + question,  // truncated
           // OPT where it must not be: in another section, twice, owned by a name (RFC 6891 6.1.1)
           wire::header({.flags = 0x8180, .answers = 1}) + question + wire::opt(1232),
           wire::header({.flags = 0x8180, .authorities = 1}) + question + wire::opt(1232),
           wire::header({.flags = 0x8180, .additionals = 2}) + question + wire::opt(1232) + wire::opt(1232),
           wire::header({.flags = 0x8180, .additionals = 1}) + question + wire::record(wire::kOpt, 0, {}),
       }) {
    auto sent = send(wire::query("example.org", wire::kA), reply);
    CHECK(sent.relayed == Relayed::failed);
    CHECK(sent.message.rcode == 2);
    CHECK(sent.message.qname == "example.org.");
  }
}
