#include "dns/name.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/dns/wire.hpp"

using namespace flylocal::dns;
using wire::operator+;

namespace {

Name text(std::string_view presentation) {
  return Name::from_text(presentation).value();
}

/// Parses the name at `offset` of twelve octets of header and `body`.
std::optional<Name> parse(const wire::Bytes& body, std::size_t offset = 12) {
  auto message = wire::Bytes(12, 0) + body;
  return Name::parse(message, offset);
}

}  // namespace

TEST_CASE("a name is read from the wire and keeps its case (RFC 1035 3.1, RFC 4343 4.1)") {
  auto message = wire::Bytes(12, 0) + wire::name("Web.INTERNAL") + wire::Bytes{0xAA};
  std::size_t offset = 12;
  auto name = Name::parse(message, offset);
  REQUIRE(name);
  CHECK(name->text() == "Web.INTERNAL.");
  CHECK(offset == 12 + 14);
}

TEST_CASE("names compare without case, in ASCII only (RFC 4343 3)") {
  CHECK(text("web.internal") == text("WEB.Internal."));
  CHECK(text("web.internal") != text("wec.internal"));
  CHECK(text("web.internal") != text("web.internal.x"));
  CHECK(text("a.bc") != text("ab.c"));
  CHECK(text("\\228") != text("\\196"));  // not ä and Ä
  CHECK(text("@") != text("`"));          // these differ by the case bit, but are no letters
}

TEST_CASE("compression pointers are followed, and the name ends behind the first (RFC 1035 4.1.4)") {
  // 12: internal, 22: web -> 12, 28: iad -> 22
  auto body =
      wire::name("internal") + wire::Bytes{3, 'w', 'e', 'b', 0xC0, 12, 3, 'i', 'a', 'd', 0xC0, 22, 0xAA};
  auto message = wire::Bytes(12, 0) + body;
  std::size_t offset = 28;
  auto name = Name::parse(message, offset);
  REQUIRE(name);
  CHECK(name->text() == "iad.web.internal.");
  CHECK(offset == 34);
}

TEST_CASE("a pointer that does not lead backwards is refused, so that none can loop") {
  CHECK_FALSE(parse({0xC0, 12}));                      // to itself
  CHECK_FALSE(parse({1, 'a', 0xC0, 12}));              // to the start of its own name
  CHECK_FALSE(parse({1, 'a', 0xC0, 14}));              // to itself, behind a label
  CHECK_FALSE(parse({0xC0, 14, 1, 'a', 0}));           // forwards
  CHECK_FALSE(parse({0xC0, 14, 0xC0, 12}, 14));        // two that point at each other
  CHECK_FALSE(parse({1, 'a', 1, 'b', 0xC0, 12}, 14));  // back, over its own start, and round
  CHECK_FALSE(parse({0xC0, 0}));                       // into the header
  CHECK_FALSE(parse({0xC0, 11, 0}));
}

TEST_CASE("a name that leaves the message, or uses a kind of label that is not in use, is refused") {
  CHECK_FALSE(parse({}));
  CHECK_FALSE(parse({3, 'w', 'e'}));
  CHECK_FALSE(parse({3, 'w', 'e', 'b'}));  // the root is missing
  CHECK_FALSE(parse({0xC0}));              // half a pointer
  CHECK_FALSE(parse({0x41, 'a', 0}));      // RFC 6891 5: extended labels are gone
  CHECK_FALSE(parse({0x80, 'a', 0}));
}

TEST_CASE("a refused name leaves the offset where it was") {
  auto message = wire::Bytes(12, 0) + wire::Bytes{1, 'a', 0xC0};
  std::size_t offset = 12;
  CHECK_FALSE(Name::parse(message, offset));
  CHECK(offset == 12);
}

TEST_CASE("labels have at most 63 octets and names at most 255 (RFC 1035 2.3.4)") {
  std::string l63(63, 'a');
  std::string longest = l63 + '.' + l63 + '.' + l63 + '.' + std::string(61, 'a');  // 3 * 64 + 62 + 1
  CHECK(text(longest).wire().size() == 255);
  CHECK(parse(wire::name(longest)));
  CHECK(Name::from_text(longest + 'a').has_error());
  CHECK_FALSE(parse(wire::name(longest + 'a')));
  CHECK(Name::from_text(l63).has_value());
  CHECK(Name::from_text(l63 + 'a').has_error());

  // The limit holds for the whole that pointers put together.
  auto body = wire::name(longest) + wire::Bytes{1, 'b', 0xC0, 12};
  CHECK_FALSE(parse(body, 12 + 255));
}

TEST_CASE("127 labels of one octet are a name") {
  std::string many;
  for (int i = 0; i < 127; ++i) many += "a.";
  CHECK(Labels(text(many)).size() == 127);
  CHECK(text(many).wire().size() == 255);
  CHECK(Name::from_text(many + "a").has_error());
}

TEST_CASE("presentation form is read with and without the last dot, with escapes (RFC 1035 5.1)") {
  CHECK(text("web.internal") == text("web.internal."));
  CHECK(text(".") == Name());
  CHECK(text("a\\.b.c").text() == "a\\.b.c.");
  CHECK(Labels(text("a\\.b.c")).size() == 2);
  CHECK(Labels(text("a\\.b.c"))[0] == "a.b");
  CHECK(text("a\\032\\000b").text() == "a\\032\\000b.");
  CHECK(text("\\119eb") == text("web"));
  CHECK(text("a\\.") == text("a\\046"));
}

TEST_CASE("what is no presentation form is an error that quotes it") {
  for (auto bad : {"", ".a", "a..b", "..", "a\\", "a\\1", "a\\12", "a\\256", "a\\1x3"}) {
    INFO(bad);
    auto name = Name::from_text(bad);
    REQUIRE(name.has_error());
    CHECK(name.error().message.find(std::string("\"") + bad + "\"") != std::string::npos);
  }
}

TEST_CASE("labels tell their text and where they start") {
  auto name = text("iad.web.internal");
  Labels labels(name);
  REQUIRE(labels.size() == 3);
  CHECK(labels[0] == "iad");
  CHECK(labels[2] == "internal");
  CHECK(labels.offset(1) == 4);
  CHECK(labels.offset(3) == name.wire().size() - 1);
  CHECK(Labels(Name()).size() == 0);
}

TEST_CASE("skipping a name stops behind its root or its first pointer") {
  auto message = wire::Bytes(12, 0) + wire::name("web.internal") + wire::Bytes{1, 'a', 0xC0, 12, 5};
  std::size_t offset = 12;
  REQUIRE(skip_name(message, offset));
  CHECK(offset == 26);
  REQUIRE(skip_name(message, offset));
  CHECK(offset == 30);
  CHECK_FALSE(skip_name(message, offset));
  CHECK(offset == 30);
}
