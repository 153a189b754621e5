#include "dns/responder.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/dns/wire.hpp"
#include "tests/unit/dns/zone_world.hpp"

using namespace zone_world;
using wire::operator+;

namespace {

Asked& asked() {
  static Asked asked(world({
      network({app("web", {machine("3d8d413b29d089", "iad", "app", "fdaa:0:18:a7b:7d:f066:b83b:2"),
                           machine("683d314fdd4d68", "lhr", "worker", "fdaa:0:18:a7b:1:2:3:2"),
                           machine("568323e9b54dd8", "iad", "app", "fdaa:0:18:a7b:a:b:c:2", MachineState::not_started),
                           machine("e784079b295483", "iad", "app", "fdaa:0:18:a7b:1:1:1:2")}),
               app("Asleep", {machine("7811373f095228", "ams", "app", "fdaa:0:18:a7b:4:4:4:2", MachineState::not_started)}),
               app("empty", {}), crowd("thirty", 30), crowd("hundreds", 700)}),
      network({app("secret", {machine("148e4d3cd10e89", "iad", "app", "fdaa:0:19:a7b:1:1:1:2")})}, kOtherNetwork),
  }));
  return asked;
}

Answered ask(const wire::Bytes& query, Transport transport = Transport::udp, NetworkId network = kNetwork) {
  return asked().ask(query, transport, network);
}

Answered ask(std::string_view name, std::uint16_t type) {
  return ask(wire::query(name, type));
}

}  // namespace

TEST_CASE("an AAAA answer, octet by octet (RFC 1035 4.1, RFC 3596 2.2)") {
  auto a = ask(wire::query("3d8d413b29d089.vm.web.internal", wire::kAaaa, {.id = 0xBEEF}));
  wire::Bytes expected{0xBE, 0xEF, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};  // QR AA RD RA
  expected = expected + wire::question("3d8d413b29d089.vm.web.internal", wire::kAaaa) +
             wire::Bytes{0xC0, 12,   0, 28, 0, 1,    0,    0,    0, 5,    0,    16,  //
                         0xfd, 0xaa, 0, 0,  0, 0x18, 0x0a, 0x7b, 0, 0x7d, 0xf0, 0x66, 0xb8, 0x3b, 0, 2};
  CHECK(a.bytes == expected);
}

TEST_CASE("the AAAA names of an app give its started machines in the order of their creation") {
  struct Row {
    std::string name;
    Texts expected;
  };
  const std::string first = "fdaa:0:18:a7b:7d:f066:b83b:2", second = "fdaa:0:18:a7b:1:2:3:2",
                    third = "fdaa:0:18:a7b:1:1:1:2";
  for (auto& [name, expected] : std::vector<Row>{
           {"web.internal", {first, second, third}},
           {"global.web.internal", {first, second, third}},
           {"iad.web.internal", {first, third}},
           {"lhr.web.internal", {second}},
           {"683d314fdd4d68.vm.web.internal", {second}},
           {"app.process.web.internal", {first, third}},
           {"worker.process.web.internal", {second}},
       }) {
    INFO(name);
    auto a = ask(name, wire::kAaaa);
    CHECK(addresses(a.message) == expected);
    CHECK(a.message.rcode == 0);
    CHECK(a.message.authoritative);
    CHECK(a.message.recursion_available);
    CHECK(a.message.authorities.empty());
    CHECK(a.outcome.kind == Kind::answered);
    for (auto& record : a.message.answers) {
      CHECK(record.owner == name + '.');
      CHECK(record.record_class == 1);
      CHECK(record.ttl == 5);
    }
  }
}

TEST_CASE("case does not matter and comes back as it was asked (RFC 4343 4.1)") {
  auto a = ask("IaD.wEb.InTeRnAl", wire::kAaaa);
  CHECK(a.message.qname == "IaD.wEb.InTeRnAl.");
  CHECK(a.message.answers.size() == 2);
  CHECK(ask("7811373F095228.VM.ASLEEP.internal", wire::kAaaa).message.rcode == 0);
}

TEST_CASE("a name with nothing started behind it exists: NOERROR without records (RFC 2308 2.2)") {
  for (auto name : {"asleep.internal", "global.asleep.internal", "ams.asleep.internal",
                    "7811373f095228.vm.asleep.internal", "app.process.asleep.internal", "empty.internal",
                    "global.empty.internal",
                    // known forms that no machine has
                    "fra.web.internal", "00000000000000.vm.web.internal", "cron.process.web.internal",
                    // between an app and its machines (RFC 8020 2), and the top
                    "vm.web.internal", "process.web.internal", "all.web.internal", "internal"}) {
    INFO(name);
    check_no_data(ask(name, wire::kAaaa));
  }
}

TEST_CASE("other types of an existing name are NOERROR without records, so that musl goes on to AAAA") {
  for (std::uint16_t type :
       {wire::kA, wire::kMx, wire::kNs, wire::kTxt, wire::kHttps, std::uint16_t{0xFFFE}}) {
    INFO(type);
    check_negative(ask("web.internal", type), 0);
  }
  check_negative(ask("_apps.internal", wire::kAaaa), 0);
  check_negative(ask("vms.web.internal", wire::kA), 0);
}

TEST_CASE("an unknown app and a form that no name has are NXDOMAIN, for any type") {
  for (auto name : {"nosuch.internal", "iad.nosuch.internal", "x.vm.web.internal", "abcd.web.internal",
                    "a1b.web.internal", "iad.iad.web.internal", "app.processes.web.internal",
                    "a.app.process.web.internal", "3d8d413b29d089.web.internal", "x._apps.internal",
                    "_other.internal", "top.nearest.of.web.internal"}) {
    for (std::uint16_t type : {wire::kAaaa, wire::kA, wire::kTxt}) {
      INFO(name << ' ' << type);
      check_negative(ask(name, type), 3);
    }
  }
}

TEST_CASE("a negative answer's SOA is that of internal. and lets it be kept for 5 seconds (RFC 2308 4)") {
  auto a = ask("no.such.Internal", wire::kAaaa);
  auto& soa = a.message.authorities.at(0);
  CHECK(soa.owner == "Internal.");
  REQUIRE(soa.data.size() >= 20);
  CHECK(wire::Bytes(soa.data.end() - 4, soa.data.end()) == wire::Bytes{0, 0, 0, 5});
  // MNAME and RNAME point into the message: read them in place.
  wire::Reader in(a.bytes);
  for (std::size_t at = 0; at < a.bytes.size() - soa.data.size(); ++at) in.u8();
  CHECK(in.name() == "Internal.");
  CHECK(in.name() == "hostmaster.Internal.");
}

TEST_CASE("the top of the zone has its SOA") {
  auto a = ask("internal", wire::kSoa);
  REQUIRE(a.message.answers.size() == 1);
  CHECK(a.message.answers[0].type == wire::kSoa);
  CHECK(a.message.authorities.empty());
}

TEST_CASE("the TXT names list what the platform lists, in its grammar") {
  struct Row {
    std::string name, expected;
  };
  for (auto& [name, expected] : std::vector<Row>{
           {"vms.web.internal", "3d8d413b29d089 iad,683d314fdd4d68 lhr,e784079b295483 iad"},
           {"all.vms.web.internal",
            "3d8d413b29d089 iad,683d314fdd4d68 lhr,568323e9b54dd8 iad,e784079b295483 iad"},
           {"regions.web.internal", "iad,lhr"},
           {"all.regions.asleep.internal", "ams"},
           {"_apps.internal", "web,Asleep,empty,thirty,hundreds"},
       }) {
    INFO(name);
    auto a = ask(name, wire::kTxt);
    REQUIRE(a.message.answers.size() == 1);
    CHECK(a.message.answers[0].type == wire::kTxt);
    CHECK(a.message.answers[0].ttl == 5);
    CHECK(wire::text(a.message.answers[0]) == expected);
  }
}

TEST_CASE("a list of nothing is one empty string") {
  for (auto name : {"vms.asleep.internal", "regions.empty.internal"}) {
    auto a = ask(name, wire::kTxt);
    REQUIRE(a.message.answers.size() == 1);
    CHECK(a.message.answers[0].data == wire::Bytes{0});
  }
}

TEST_CASE("text over 255 octets is split into strings of one record (RFC 1035 3.3.14)") {
  auto a = ask(wire::query("vms.thirty.internal", wire::kTxt), Transport::tcp);
  REQUIRE(a.message.answers.size() == 1);
  auto& data = a.message.answers[0].data;
  std::size_t size = 30 * (14 + 1 + 3) + 29;
  CHECK(data.size() == size + 3);
  CHECK(data[0] == 255);
  CHECK(wire::text(a.message.answers[0]).size() == size);
}

TEST_CASE("a network sees its own apps only") {
  CHECK(ask("secret.internal", wire::kAaaa).message.rcode == 3);
  auto other = ask(wire::query("secret.internal", wire::kAaaa), Transport::udp, kOtherNetwork);
  CHECK(addresses(other.message) == Texts{"fdaa:0:19:a7b:1:1:1:2"});
  CHECK(ask(wire::query("web.internal", wire::kAaaa), Transport::udp, kOtherNetwork).message.rcode == 3);
}

TEST_CASE("while nothing is known of the network that asks, .internal is SERVFAIL, which nobody keeps") {
  wire::Bytes response;
  auto outcome =
      Responder().respond(wire::query("web.internal", wire::kAaaa), nullptr, kNetwork, kStranger, Transport::udp, response);
  CHECK(outcome.kind == Kind::server_failure);
  CHECK(wire::decode(response).rcode == 2);
  for (auto name : {"web.internal", "web.flycast", "2.0.a.a.d.f.ip6.arpa"}) {
    CHECK(ask(wire::query(name, wire::kAaaa), Transport::udp, NetworkId{99}).message.rcode == 2);
  }
}

TEST_CASE("localhost and what is below it is the asker itself (RFC 6761 6.3)") {
  auto v4 = ask("localhost", wire::kA);
  REQUIRE(v4.message.answers.size() == 1);
  CHECK(v4.message.answers[0].data == wire::Bytes{127, 0, 0, 1});
  auto v6 = ask("app.LocalHost", wire::kAaaa);
  REQUIRE(v6.message.answers.size() == 1);
  CHECK(v6.message.answers[0].data == wire::Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  check_no_data(ask("localhost", wire::kMx), "localhost.");
}

TEST_CASE("everything else is forwarded, unwritten") {
  for (auto name :
       {"example.org", "internal.example.org", "notinternal", "xinternal", "localhost.example.org", ""}) {
    INFO(name);
    wire::Bytes response{1, 2, 3};
    auto outcome = asked().respond(wire::query(name, wire::kA), response);
    CHECK(outcome.kind == Kind::forward);
    CHECK(outcome.query.name == Name::from_text(std::string(name) + '.').value());
    CHECK(outcome.query.type == RecordType::a);
    CHECK(response == wire::Bytes{1, 2, 3});
  }
}

TEST_CASE("ANY gives what there is (RFC 8482 4.1)") {
  CHECK(addresses(ask("lhr.web.internal", wire::kAny).message).size() == 1);
  CHECK(ask("localhost", wire::kAny).message.answers.size() == 3);  // A, AAAA and the SOA
  check_negative(ask("ams.web.internal", wire::kAny), 0);
}

TEST_CASE("RD is copied, and a query without it is answered all the same") {
  auto a = ask(wire::query("web.internal", wire::kAaaa, {.flags = 0}));
  CHECK_FALSE(a.message.recursion_desired);
  CHECK(a.message.answers.size() == 3);
}

TEST_CASE("responses and packets without a whole header are dropped: an answer could start a loop") {
  wire::Bytes response;
  auto kind = [&](const wire::Bytes& message) {
    return asked().respond(message, response).kind;
  };
  CHECK(kind(wire::query("web.internal", wire::kAaaa, {.flags = 0x8100})) == Kind::drop);
  auto query = wire::query("web.internal", wire::kAaaa);
  for (std::size_t size = 0; size < 12; ++size) {
    CHECK(kind(wire::Bytes(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size))) == Kind::drop);
  }
}

TEST_CASE("operations other than QUERY are NOTIMP (RFC 1035 4.1.1)") {
  for (unsigned opcode : {1u, 2u, 4u, 5u, 15u}) {
    auto a = ask(wire::query("web.internal", wire::kAaaa,
                             {.flags = static_cast<std::uint16_t>(opcode << 11 | 0x0100)}));
    CHECK(a.message.rcode == 4);
    CHECK(a.message.opcode == opcode);
    CHECK(a.message.id == 0x1234);
    CHECK(a.bytes.size() == 12);
    CHECK(a.outcome.kind == Kind::refused);
  }
}

TEST_CASE("a query has one question: others are FORMERR (RFC 9619 4)") {
  CHECK(ask(wire::header({.questions = 0})).message.rcode == 1);
  auto two = ask(wire::header({.questions = 2}) + wire::question("web.internal", wire::kAaaa) +
                 wire::question("web.internal", wire::kA));
  CHECK(two.message.rcode == 1);
  CHECK(two.message.questions == 0);
}

TEST_CASE("a query cut anywhere behind its header, or with octets behind its end, is FORMERR") {
  auto query = wire::edns_query("web.internal", wire::kAaaa, 1232);
  for (std::size_t size = 12; size < query.size(); ++size) {
    INFO(size);
    CHECK(ask(wire::Bytes(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size))).message.rcode ==
          1);
  }
  CHECK(ask(query + wire::Bytes{0}).message.rcode == 1);
}

TEST_CASE("a question whose name is a pointer is FORMERR: nothing in front of it can be pointed at") {
  CHECK(ask(wire::header({}) + wire::Bytes{0xC0, 12, 0, 28, 0, 1}).message.rcode == 1);
  CHECK(ask(wire::header({}) + wire::Bytes{0xC0, 4, 0, 28, 0, 1}).message.rcode == 1);
}

TEST_CASE("a query whose question could not be read has the root's name, and no part of what was asked") {
  const auto whole = wire::query("web.internal", wire::kAaaa);
  for (std::size_t size : {std::size_t{12}, std::size_t{18}, whole.size() - 1}) {
    INFO(size);
    const auto parsed = parse_query(std::span(whole).first(size));
    CHECK(parsed.verdict == ParsedQuery::Verdict::rejected);
    CHECK_FALSE(parsed.has_question);
    CHECK(parsed.query.name.text() == ".");
  }
}

TEST_CASE("zone transfers and other classes are REFUSED (RFC 5936 2.2.1)") {
  CHECK(ask("internal", wire::kAxfr).message.rcode == 5);
  CHECK(ask(wire::query("example.org", wire::kAxfr)).message.rcode == 5);
  CHECK(ask(wire::header({}) + wire::question("web.internal", wire::kAaaa, 4)).message.rcode == 5);
}

TEST_CASE("CHAOS TXT version.bind and version.server say what the server is called; other CHAOS is REFUSED (RFC 4892 3)") {
  constexpr std::uint16_t kChaos = 3;
  ResponderOptions options;
  options.server_name = "flylocal 1.2.3";
  Responder responder(options);
  auto respond = [&](std::string_view name, std::uint16_t type) {
    wire::Bytes response;
    responder.respond(wire::header({}) + wire::question(name, type, kChaos), nullptr, kNetwork, kStranger, Transport::udp, response);
    return wire::decode(response);
  };
  for (auto name : {"version.bind", "VERSION.Bind", "version.server"}) {
    const auto answer = respond(name, wire::kTxt);
    REQUIRE(answer.answers.size() == 1);
    CHECK(answer.answers[0].record_class == kChaos);
    CHECK(answer.answers[0].ttl == 0);
    CHECK(answer.answers[0].owner == std::string(name) + '.');
    CHECK(wire::text(answer.answers[0]) == "flylocal 1.2.3");
  }
  CHECK(respond("version.bind", wire::kAaaa).rcode == 5);
  CHECK(respond("hostname.bind", wire::kTxt).rcode == 5);
  CHECK(respond("x.version.bind", wire::kTxt).rcode == 5);
  CHECK(respond("web.internal", wire::kTxt).rcode == 5);
}

TEST_CASE("EDNS is answered with our size, and not sent to those without (RFC 6891 6.1.1, 6.2.3)") {
  auto with = ask(wire::edns_query("web.internal", wire::kAaaa, 4096));
  auto* opt = with.message.opt();
  REQUIRE(opt);
  CHECK(opt->owner == ".");
  CHECK(opt->record_class == 1232);
  CHECK(opt->ttl == 0);
  CHECK(opt->data.empty());
  CHECK(with.message.answers.size() == 3);
  CHECK(ask("web.internal", wire::kAaaa).message.additionals.empty());
  // Also in negative answers and in failures.
  CHECK(ask(wire::edns_query("nosuch.internal", wire::kAaaa, 4096)).message.opt());
  CHECK(ask(wire::edns_query("internal", wire::kAxfr, 4096)).message.opt());
}

TEST_CASE("DO comes back as it was sent (RFC 3225 3)") {
  CHECK(ask(wire::edns_query("web.internal", wire::kAaaa, 1232, 0x8000)).message.opt()->ttl == 0x8000);
}

TEST_CASE("unknown EDNS options do not matter (RFC 6891 6.1.2)") {
  auto query = wire::query("web.internal", wire::kAaaa, {.additionals = 1}) +
               wire::opt(1232, 0, {0xFD, 0xE8, 0, 3, 1, 2, 3});
  CHECK(ask(query).message.answers.size() == 3);
}

TEST_CASE("an EDNS version that we do not know is BADVERS with ours in the answer (RFC 6891 6.1.3)") {
  auto a = ask(wire::edns_query("web.internal", wire::kAaaa, 1232, 1 << 16));
  CHECK(a.message.rcode == 0);  // the low bits of 16
  REQUIRE(a.message.opt());
  CHECK(a.message.opt()->ttl == 1u << 24);
  CHECK(a.message.answers.empty());
  CHECK(a.outcome.kind == Kind::refused);
}

TEST_CASE(
    "two OPT records, one with an owner, or one outside the additional section are FORMERR (RFC 6891 "
    "6.1.1)") {
  auto question = wire::question("web.internal", wire::kAaaa);
  CHECK(ask(wire::header({.additionals = 2}) + question + wire::opt(1232) + wire::opt(1232)).message.rcode ==
        1);
  CHECK(ask(wire::header({.answers = 1}) + question + wire::opt(1232)).message.rcode == 1);
  CHECK(ask(wire::header({.additionals = 1}) + question + wire::record(wire::kOpt, 0, {})).message.rcode ==
        1);
}

TEST_CASE(
    "over UDP an answer keeps to 512 octets, to the asker's size, and to 1232; TC tells that it is cut") {
  struct Row {
    std::optional<std::uint16_t> udp_size;
    std::size_t limit;
  };
  for (auto& [udp_size, limit] : std::vector<Row>{{std::nullopt, 512},
                                                  {0, 512},
                                                  {100, 512},
                                                  {512, 512},
                                                  {900, 900},
                                                  {1232, 1232},
                                                  {4096, 1232},
                                                  {65535, 1232}}) {
    auto a = ask(udp_size ? wire::edns_query("hundreds.internal", wire::kAaaa, *udp_size)
                          : wire::query("hundreds.internal", wire::kAaaa));
    CHECK(a.message.truncated);
    CHECK(a.outcome.truncated);
    CHECK(a.message.rcode == 0);
    CHECK(a.message.size <= limit);
    CHECK(a.message.size + 28 > limit);  // as many whole records as fit
    CHECK((a.message.opt() != nullptr) == udp_size.has_value());
  }
}

TEST_CASE("an answer that just fits is not cut") {
  // 12 + 21 + 17 * 28 = 509 octets
  Asked fits(world({network({crowd("seventeen", 17), crowd("seventeem", 18)})}));
  wire::Bytes response;
  auto outcome =
      fits.respond(wire::query("seventeen.internal", wire::kAaaa), response);
  CHECK_FALSE(outcome.truncated);
  CHECK(wire::decode(response).answers.size() == 17);
  outcome =
      fits.respond(wire::query("seventeem.internal", wire::kAaaa), response);
  CHECK(outcome.truncated);
  CHECK(wire::decode(response).answers.size() == 17);
}

TEST_CASE("over TCP the same answer is whole (RFC 7766 5)") {
  auto a = ask(wire::query("hundreds.internal", wire::kAaaa), Transport::tcp);
  CHECK_FALSE(a.message.truncated);
  CHECK(a.message.answers.size() == 700);
}

TEST_CASE("a text that does not fit is left out whole, with TC") {
  auto a = ask("vms.thirty.internal", wire::kTxt);
  CHECK(a.message.truncated);
  CHECK(a.message.answers.empty());
  CHECK(a.message.authorities.empty());  // no SOA: the name is not empty
}

TEST_CASE("a snapshot leaves out what no query could spell") {
  Asked odd(world({network({app("web", {machine("", "", "", "fdaa::1:2"), machine(std::string(64, 'a'), "iad", "a b.c", "fdaa::2:2")}),
                            app("", {}), app(std::string(64, 'x'), {})})}));
  wire::Bytes response;
  auto answers = [&](const wire::Bytes& query) {
    odd.respond(query, response);
    return wire::decode(response).answers.size();
  };
  CHECK(answers(wire::query("web.internal", wire::kAaaa)) == 2);
  CHECK(answers(wire::query("_apps.internal", wire::kTxt)) == 1);
  // A label may hold any octet (RFC 2181 11).
  CHECK(answers(wire::header({}) + wire::Bytes{5, 'a', ' ', 'b', '.', 'c'} +
                wire::question("process.web.internal", wire::kAaaa)) == 1);
}
