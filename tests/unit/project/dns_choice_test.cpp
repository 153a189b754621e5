#include "flylocal/project/dns_choice.hpp"

#include <catch2/catch.hpp>

using namespace flylocal;
using namespace flylocal::project;
using dns::AnswerOrder;
using launch::DnsChoices;
using Servers = std::vector<boost::asio::ip::udp::endpoint>;

namespace {

AppSpec app(const std::string& name, DnsChoices choices = {}) {
  AppSpec spec;
  spec.name = name;
  spec.dns = std::move(choices);
  return spec;
}

DnsChoices ordered(AnswerOrder order) {
  DnsChoices choices;
  choices.order = order;
  return choices;
}
DnsChoices reversed(bool reverse) {
  DnsChoices choices;
  choices.reverse_names = reverse;
  return choices;
}
DnsChoices asking(std::vector<const char*> addresses) {
  DnsChoices choices;
  for (const char* address : addresses) choices.servers.emplace_back(boost::asio::ip::make_address(address), std::uint16_t{53});
  return choices;
}

}  // namespace

TEST_CASE("where nobody says anything, the platform's ways hold") {
  const DnsSettings settings = choose_dns({}, {app("web"), app("api")});
  CHECK(settings.order == AnswerOrder::fixed);
  CHECK_FALSE(settings.reverse_names);
  CHECK(settings.servers.empty());
  CHECK(settings.notes.empty());
}

TEST_CASE("the first project that says something decides, key by key") {
  DnsChoices both = ordered(AnswerOrder::random);
  both.reverse_names = false;
  const DnsSettings settings = choose_dns({}, {app("web"), app("api", both), app("worker", reversed(true)), app("db", asking({"192.0.2.7"}))});
  CHECK(settings.order == AnswerOrder::random);
  CHECK_FALSE(settings.reverse_names);
  CHECK(settings.servers == asking({"192.0.2.7"}).servers);
  REQUIRE(settings.notes.size() == 1);
  CHECK_THAT(settings.notes[0], Catch::StartsWith("worker: flylocal.toml's dns.reverse is true, and api's is false"));
}

TEST_CASE("projects of one mind need no note") {
  const DnsSettings settings = choose_dns({}, {app("web", asking({"192.0.2.7", "2001:db8::7"})), app("api", asking({"192.0.2.7", "2001:db8::7"}))});
  CHECK(settings.servers.size() == 2);
  CHECK(settings.notes.empty());
}

TEST_CASE("each project that wants something else is told") {
  const DnsSettings settings = choose_dns({}, {app("web", ordered(AnswerOrder::fixed)), app("api", ordered(AnswerOrder::random)),
                                               app("db", asking({"192.0.2.7"})), app("worker", asking({"192.0.2.8", "2001:db8::7"}))});
  CHECK(settings.order == AnswerOrder::fixed);
  REQUIRE(settings.notes.size() == 2);
  CHECK_THAT(settings.notes[0], Catch::StartsWith("api: ") && Catch::Contains("dns.order is random, and web's is fixed"));
  CHECK_THAT(settings.notes[1], Catch::StartsWith("worker: ") && Catch::Contains("dns.servers is 192.0.2.8:53, [2001:db8::7]:53, and db's is 192.0.2.7:53"));
}

TEST_CASE("the command line goes before all projects, without a word") {
  DnsChoices line = asking({"192.0.2.1"});
  line.order = AnswerOrder::random;
  line.reverse_names = true;
  DnsChoices other = asking({"192.0.2.2"});
  other.order = AnswerOrder::fixed;
  other.reverse_names = false;
  const DnsSettings settings = choose_dns(line, {app("web", other)});
  CHECK(settings.order == AnswerOrder::random);
  CHECK(settings.reverse_names);
  CHECK(settings.servers == line.servers);
  CHECK(settings.notes.empty());
}
