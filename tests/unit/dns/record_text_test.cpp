#include "dns/record_text.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "tests/unit/dns/wire.hpp"

using namespace flylocal::dns;
using wire::Bytes;
using wire::operator+;

namespace {

Bytes operator""_octets(const char* text, std::size_t size) { return Bytes(text, text + size); }

/// The data of a record that stands behind a question for "web.internal".
std::string data_of(std::uint16_t type, const Bytes& data) {
  const Bytes message = wire::query("web.internal", type) + data;
  return data_text(message, static_cast<RecordType>(type), message.size() - data.size(), data.size());
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

TEST_CASE("types, classes and response codes have names, and others numbers") {
  CHECK(type_text(RecordType::aaaa) == "AAAA");
  CHECK(type_text(static_cast<RecordType>(65)) == "HTTPS");
  CHECK(type_text(static_cast<RecordType>(731)) == "TYPE731");  // RFC 3597 5
  CHECK(type_of_text("aaaa") == RecordType::aaaa);
  CHECK(type_of_text("TYPE28") == RecordType::aaaa);
  CHECK(type_of_text("type65535") == static_cast<RecordType>(65535));
  for (const char* none : {"", "TYPE", "TYPE65536", "TYPE1x", "AAAAA", "28"}) CHECK_FALSE(type_of_text(none));
  CHECK(class_text(RecordClass::in) == "IN");
  CHECK(class_text(static_cast<RecordClass>(32)) == "CLASS32");
  CHECK(class_of_text("ch") == static_cast<RecordClass>(3));
  CHECK(rcode_text(Rcode::name_error) == "NXDOMAIN");
  CHECK(rcode_text(Rcode::bad_version) == "BADVERS");
  CHECK(rcode_text(static_cast<Rcode>(12)) == "RCODE12");
  CHECK(opcode_text(Opcode::query) == "QUERY");
}

TEST_CASE("data are in the form of master files (RFC 1035 5.1)") {
  const Bytes to_question{0xC0, 12};
  CHECK(data_of(wire::kA, {192, 0, 2, 1}) == "192.0.2.1");
  CHECK(data_of(wire::kAaaa, {0xfd, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}) == "fdaa::3");
  CHECK(data_of(5, wire::name("www.example.org")) == "www.example.org.");
  CHECK(data_of(5, to_question) == "web.internal.");
  CHECK(data_of(12, "\3www"_octets + to_question) == "www.web.internal.");
  CHECK(data_of(wire::kMx, Bytes{0, 10} + wire::name("mx")) == "10 mx.");
  CHECK(data_of(33, Bytes{0, 1, 0, 2, 0x1f, 0x90} + wire::name("host")) == "1 2 8080 host.");
  CHECK(data_of(wire::kSoa, to_question + wire::name("mail") + Bytes{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff}) ==
        "web.internal. mail. 1 2 3 4 4294967295");
  CHECK(data_of(wire::kTxt, "\3abc\0\2de"_octets) == R"("abc" "" "de")");
  CHECK(data_of(wire::kTxt, "\4a\"b\\\3\0\x7f\xff"_octets) == R"("a\"b\\" "\000\127\255")");
  CHECK(data_of(13, "\3RFC\4\x38\x34\x38\x32"_octets) == R"("RFC" "8482")");  // RFC 8482 4.2
  CHECK(data_of(257, "\0\5issueca.org"_octets) == R"(0 issue "ca.org")");
  CHECK(data_of(wire::kHttps, "\0\1\0\0\1\0\6\2h2\2h3\0\3\0\2\x01\xbb\0\4\0\4\1\2\3\4"_octets) == R"(1 . alpn="h2,h3" port=443 ipv4hint=1.2.3.4)");  // RFC 9460
  CHECK(data_of(64, Bytes{0, 0} + wire::name("svc.example")) == "0 svc.example.");
}

TEST_CASE("data of unknown types, and those that do not fit their type, are octets (RFC 3597 5)") {
  CHECK(data_of(731, {0xab, 0xcd}) == "\\# 2 abcd");
  CHECK(data_of(731, {}) == "\\# 0");
  CHECK(data_of(wire::kA, {1, 2, 3}) == "\\# 3 010203");
  CHECK(data_of(wire::kA, {1, 2, 3, 4, 5}) == "\\# 5 0102030405");
  CHECK(data_of(wire::kAaaa, {}) == "\\# 0");
  CHECK(data_of(wire::kTxt, {5, 'a'}) == "\\# 2 0561");
  CHECK(data_of(wire::kTxt, {}) == "\\# 0");
  CHECK(data_of(5, {3, 'w', 'w', 'w'}) == "\\# 4 03777777");
  CHECK(data_of(5, wire::name("a") + Bytes{9}) == "\\# 4 01610009");
  CHECK(data_of(wire::kHttps, "\0\1\0\0\4\0\3\1\2\3"_octets) == "\\# 10 00010000040003010203");
}

TEST_CASE("a name in the data may not reach behind them") {
  // "\3abc" continues in the next record's octets, which are no part of this one's.
  const Bytes message = wire::query("w", 5) + "\3abc\0"_octets;
  CHECK(data_text(message, static_cast<RecordType>(5), message.size() - 5, 3) == "\\# 3 036162");
}

TEST_CASE("a message is read with all its sections") {
  const Bytes message = wire::query("Web.internal", wire::kAaaa, {.flags = 0x8580, .answers = 1, .authorities = 1, .additionals = 2}) +
                        wire::record(wire::kAaaa, 5, Bytes(16, 1)) + wire::record(wire::kNs, 70000, wire::name("ns")) +
                        wire::record(wire::kTxt, 0, {1, 'x'}) + wire::opt(1232, 0x8000, Bytes{0, 10, 0, 2, 0xde, 0xad, 0, 15, 0, 4, 0, 22, 'h', 'i'});
  const auto text = read_message(message);
  REQUIRE(text);
  CHECK(text->id == 0x1234);
  CHECK(text->flags == std::vector<std::string>{"qr", "aa", "rd", "ra"});
  CHECK(text->rcode == Rcode::no_error);
  CHECK(text->counts == std::array<unsigned, 4>{1, 1, 1, 2});
  REQUIRE(text->questions.size() == 1);
  CHECK(text->questions[0].name == "Web.internal.");
  REQUIRE(text->answers.size() == 1);
  CHECK(text->answers[0].owner == "Web.internal.");
  CHECK(text->answers[0].ttl == 5);
  CHECK(text->answers[0].data == "101:101:101:101:101:101:101:101");
  REQUIRE(text->authority.size() == 1);
  CHECK(text->authority[0].ttl == 70000);
  REQUIRE(text->additional.size() == 1);  // without OPT
  CHECK(text->additional[0].data == "\"x\"");
  REQUIRE(text->edns);
  CHECK(text->edns->udp_size == 1232);
  CHECK(text->edns->dnssec_ok);
  CHECK(text->edns->options == std::vector<std::string>{"COOKIE: dead", "EDE: 22 (No Reachable Authority): \"hi\""});
  CHECK(text->is_whole);
}

TEST_CASE("the OPT record has the high bits of the response code (RFC 6891 6.1.3)") {
  const auto text = read_message(wire::edns_query("a", wire::kA, 512, 1u << 24));
  REQUIRE(text);
  CHECK(text->rcode == Rcode::bad_version);
}

TEST_CASE("of a message that is cut what stands before the cut is read") {
  const Bytes whole = wire::query("web.internal", wire::kA, {.flags = 0x8180, .answers = 2}) + wire::record(wire::kA, 5, {1, 2, 3, 4}) + wire::record(wire::kA, 5, {5, 6, 7, 8});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto text = read_message(std::span(whole).first(size));
    REQUIRE(text.has_value() == (size >= kHeaderSize));
    if (!text) continue;
    CHECK_FALSE(text->is_whole);
    CHECK(text->answers.size() == (size >= whole.size() - 16 ? 1 : 0));
  }
  CHECK(read_message(whole)->answers.size() == 2);
}

TEST_CASE("any octets give printable text") {
  std::mt19937 random(20261122);
  const Bytes seed = wire::query("web.internal", wire::kHttps, {.flags = 0x8180, .answers = 4, .additionals = 1}) +
                     wire::record(wire::kHttps, 5, "\0\1\0\0\1\0\3\2h2\0\4\0\4\1\2\3\4"_octets) + wire::record(wire::kTxt, 5, "\3abc\1d"_octets) +
                     wire::record(wire::kSoa, 5, wire::name("a") + wire::name("b") + Bytes(20)) + wire::record(257, 5, "\0\5issueca"_octets) +
                     wire::opt(1232, 0, Bytes{0, 15, 0, 4, 0, 22, 'h', 'i'});
  REQUIRE(read_message(seed)->is_whole);
  for (int round = 0; round < 20'000; ++round) {
    Bytes message = seed;
    for (unsigned i = random() % 6; i-- > 0;) message[random() % message.size()] = static_cast<std::uint8_t>(random());
    message.resize(message.size() - random() % 3 * (random() % message.size()) / 3);
    const auto text = read_message(message);
    if (!text) continue;
    for (const auto* section : {&text->answers, &text->authority, &text->additional})
      for (const RecordText& record : *section) REQUIRE(is_printable(record.owner + record.data));
    for (const auto& question : text->questions) REQUIRE(is_printable(question.name));
    if (text->edns)
      for (const std::string& option : text->edns->options) REQUIRE(is_printable(option));
  }
}
