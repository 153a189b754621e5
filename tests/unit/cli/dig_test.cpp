#include "flylocal/cli/dig.hpp"

#include <catch2/catch.hpp>

using namespace flylocal;
using namespace flylocal::cli;
using dns::RecordType;
using Catch::Matchers::Contains;

namespace {

DigRequest read(std::vector<std::string> words) { return read_dig_words({.words = std::move(words)}).value(); }
std::string refusal(DigOptions options) { return read_dig_words(options).error().message; }

using Bytes = std::vector<std::uint8_t>;

}  // namespace

TEST_CASE("a name alone is asked for AAAA, with EDNS and recursion") {
  const DigRequest request = read({"web.internal"});
  CHECK(request.name.text() == "web.internal.");
  CHECK(request.types == std::vector{RecordType::aaaa});
  CHECK(dig_query(request, RecordType::aaaa, 0x1234) ==
        Bytes{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 3, 'w', 'e', 'b', 8, 'i', 'n', 't', 'e', 'r', 'n', 'a', 'l', 0, 0, 28, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("types stand before or behind the name, and may be several") {
  for (const auto& words : {std::vector<std::string>{"web.internal", "A", "txt"}, {"a", "web.internal", "TXT"}, {"A", "TXT", "web.internal"}}) {
    const DigRequest request = read(words);
    CHECK(request.name_text == "web.internal");
    CHECK(request.types == std::vector{RecordType::a, RecordType::txt});
  }
  CHECK(read_dig_words({.words = {"web.internal"}, .types = {"MX", "TYPE65"}}).value().types.size() == 2);
  CHECK(read({"txt"}).name_text == "txt");
  const DigRequest chaos = read({"CH", "TXT", "version.bind"});
  CHECK(static_cast<int>(chaos.record_class) == 3);
  CHECK(chaos.types == std::vector{RecordType::txt});
}

TEST_CASE("options as dig spells them") {
  const DigRequest request = read({"+short", "a.internal", "+tcp", "+norecurse", "+cd", "+noedns", "+noall", "+answer", "@fdaa::3"});
  CHECK(request.brief);
  CHECK(request.tcp);
  CHECK_FALSE(request.recurse);
  CHECK(request.parts.answer);
  CHECK_FALSE(request.parts.stats);
  CHECK(dig_query(request, RecordType::a, 1) == Bytes{0, 1, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 8, 'i', 'n', 't', 'e', 'r', 'n', 'a', 'l', 0, 0, 1, 0, 1});
  CHECK_FALSE(read({"a", "+ignore"}).retry_over_tcp);
  CHECK(read({"a", "+bufsize=4096"}).udp_size == 4096);
  const auto query = dig_query(read({"a", "+dnssec"}), RecordType::a, 1);
  CHECK(query[query.size() - 4] == 0x80);  // DO
}

TEST_CASE("-x asks for the PTR record of an address") {
  const DigRequest four = read_dig_words({.reverse = "192.0.2.1"}).value();
  CHECK(four.name_text == "1.2.0.192.in-addr.arpa");
  CHECK(static_cast<int>(four.types.at(0)) == 12);
  CHECK(read_dig_words({.reverse = "fdaa::3"}).value().name_text == "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.a.a.d.f.ip6.arpa");
}

TEST_CASE("what is not understood is named, with what would be") {
  CHECK_THAT(refusal({.words = {"+shrot", "a"}}), Contains("did you mean +short?"));
  CHECK_THAT(refusal({.words = {"a", "+notcpp"}}), Contains("did you mean +notcp?"));
  CHECK_THAT(refusal({.words = {"a", "+bufsize=99999"}}), Contains("+bufsize=0 to"));
  CHECK_THAT(refusal({.words = {"@8.8.8.8", "a"}}), Contains("fdaa::3"));
  CHECK_THAT(refusal({.words = {"a.internal", "BOGUS"}}), Contains("BOGUS"));
  CHECK_THAT(refusal({.words = {"a.internal"}, .types = {"BOGUS"}}), Contains("BOGUS"));
  CHECK_THAT(refusal({.words = {"a..b"}}), Contains("is not a domain name"));
  CHECK_THAT(refusal({.reverse = "web"}), Contains("an IPv4 or IPv6 address"));
  CHECK_THAT(refusal({}), Contains("which name?"));
}
