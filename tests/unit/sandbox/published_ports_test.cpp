#include "flylocal/sandbox/published_ports.hpp"

#include <catch2/catch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <set>

#include "netns/sockets.hpp"

using namespace flylocal;
using namespace flylocal::sandbox;
using boost::asio::ip::tcp;
using config::Handler;

namespace {

const auto kLoopback4 = boost::asio::ip::address_v4::loopback();
const auto kLoopback6 = boost::asio::ip::address_v6::loopback();

bool host_has_ipv6() { return netns::listen_tcp({kLoopback6, 0}).has_value(); }

bool is_free(std::uint16_t port) {
  return netns::listen_tcp({kLoopback4, port}) && (!host_has_ipv6() || netns::listen_tcp({kLoopback6, port}));
}

/// The first of `count` host ports in a row that nobody listens on, from an arbitrary start on. The ports of other
/// test programs that run meanwhile are drawn by the kernel from 32768 up.
std::uint16_t free_ports(int count) {
  static int next = 21000;
  for (int run = 0; next < 30000; ++next) {
    run = is_free(static_cast<std::uint16_t>(next)) ? run + 1 : 0;
    if (run == count) return static_cast<std::uint16_t>(++next - count);
  }
  FAIL("no " << count << " free ports in a row");
  return 0;
}

config::ServicePort port(std::uint16_t first, std::uint16_t last, std::vector<Handler> handlers) {
  config::ServicePort result;
  result.range = {first, last};
  result.handlers = std::move(handlers);
  return result;
}
config::ServicePort http(std::uint16_t number) { return port(number, number, {Handler::kHttp}); }
config::ServicePort raw(std::uint16_t number) { return port(number, number, {}); }

config::Service service(std::vector<config::ServicePort> ports, std::uint16_t internal_port = 8080) {
  config::Service result;
  result.internal_port = internal_port;
  result.protocol = config::TransportProtocol::kTcp;
  result.ports = std::move(ports);
  return result;
}

project::AppSpec app(const std::string& name, std::vector<config::Service> services) {
  project::AppSpec spec;
  spec.name = name;
  project::GroupSpec group;
  group.config.group = "app";
  group.config.services = std::move(services);
  spec.groups.emplace("app", std::move(group));
  return spec;
}

PortPlan open(const std::vector<project::AppSpec>& apps) {
  auto plan = open_ports(apps);
  if (plan.has_error()) FAIL(plan.error().message);
  return std::move(*plan);
}

bool accepts(const boost::asio::ip::address& address, std::uint16_t port) {
  boost::asio::io_context context;
  tcp::socket socket(context);
  boost::system::error_code error;
  socket.connect({address, port}, error);
  return !error;
}

}  // namespace

TEST_CASE("a port below 1024 is 8000 more on the host, another is itself") {
  std::uint16_t low = 80;
  while (!is_free(static_cast<std::uint16_t>(8000 + low)) && low < 500) ++low;
  const std::uint16_t high = free_ports(1);
  const PortPlan plan = open({app("web", {service({http(low), raw(high)}, 3000)})});
  REQUIRE(plan.ports.size() == 2);
  CHECK(plan.notes.empty());
  CHECK(plan.ports[0].external_port == low);
  CHECK(plan.ports[0].host_port == 8000 + low);
  CHECK(plan.ports[0].handlers.http);
  CHECK(plan.ports[1].external_port == high);
  CHECK(plan.ports[1].host_port == high);
  CHECK(plan.ports[1].handlers == proxy::Handlers{});
  CHECK(plan.ports[0].id != plan.ports[1].id);
  REQUIRE(plan.ports[0].backends.size() == 1);
  CHECK(plan.ports[0].backends[0].app == "web");
  CHECK(plan.ports[0].backends[0].process_group == "app");
  CHECK(plan.ports[0].backends[0].internal_port == 3000);
}

TEST_CASE("a published port listens on both loopback addresses and nowhere else") {
  const std::uint16_t number = free_ports(1);
  const PortPlan plan = open({app("web", {service({http(number)})})});
  REQUIRE(plan.ports.size() == 1);
  CHECK(plan.ports[0].listeners.size() == (host_has_ipv6() ? 2 : 1));
  CHECK(accepts(kLoopback4, number));
  CHECK(accepts(kLoopback6, number) == host_has_ipv6());
  // Another address of the loopback network stands for "nowhere else".
  CHECK_FALSE(accepts(boost::asio::ip::make_address("127.0.0.2"), number));
}

TEST_CASE("a busy port gives way to the next free one, and the note names both") {
  const std::uint16_t number = free_ports(3);
  // One family is enough to make it busy: a browser may use either.
  auto holder = host_has_ipv6() ? netns::listen_tcp({kLoopback6, number}) : netns::listen_tcp({kLoopback4, number});
  REQUIRE(holder.has_value());
  auto second_holder = netns::listen_tcp({kLoopback4, static_cast<std::uint16_t>(number + 1)});
  REQUIRE(second_holder.has_value());
  const PortPlan plan = open({app("web", {service({http(number)})})});
  REQUIRE(plan.ports.size() == 1);
  CHECK(plan.ports[0].external_port == number);
  CHECK(plan.ports[0].host_port == number + 2);
  CHECK(accepts(kLoopback4, plan.ports[0].host_port));
  REQUIRE(plan.notes.size() == 1);
  CHECK_THAT(plan.notes[0], Catch::Contains("web") && Catch::Contains(std::to_string(number)) && Catch::Contains(std::to_string(number + 2)));
  // What was tried in vain is not held.
  CHECK(is_free(static_cast<std::uint16_t>(number)) == false);
  holder->reset();
  CHECK(is_free(number));
}

TEST_CASE("[ports] decides the host port") {
  const std::uint16_t number = free_ports(1);
  project::AppSpec web = app("web", {service({http(80)})});
  web.host_ports[80] = number;
  const PortPlan plan = open({web});
  REQUIRE(plan.ports.size() == 1);
  CHECK(plan.ports[0].external_port == 80);
  CHECK(plan.ports[0].host_port == number);
  CHECK(plan.notes.empty());
  CHECK(accepts(kLoopback4, number));
}

TEST_CASE("a busy port that [ports] names is an error, not another port") {
  const std::uint16_t number = free_ports(1);
  auto holder = netns::listen_tcp({kLoopback4, number});
  REQUIRE(holder.has_value());
  project::AppSpec web = app("web", {service({http(80)})});
  web.host_ports[80] = number;
  const auto plan = open_ports({web});
  REQUIRE(plan.has_error());
  CHECK(plan.error().code == std::errc::address_in_use);
  CHECK_THAT(plan.error().message, Catch::Contains("web") && Catch::Contains("flylocal.toml") && Catch::Contains("80") &&
                                       Catch::Contains(std::to_string(number)));
}

TEST_CASE("apps share an HTTP port, and host names tell them apart") {
  const std::uint16_t number = free_ports(1);
  const PortPlan plan = open({app("web", {service({http(number)}, 3000)}), app("api", {service({http(number)}, 4000)})});
  REQUIRE(plan.ports.size() == 1);
  CHECK(plan.notes.empty());
  REQUIRE(plan.ports[0].backends.size() == 2);
  CHECK(plan.ports[0].backends[0].app == "web");
  CHECK(plan.ports[0].backends[0].internal_port == 3000);
  CHECK(plan.ports[0].backends[1].app == "api");
  CHECK(plan.ports[0].backends[1].internal_port == 4000);
}

TEST_CASE("an app has the names that it gets, and its own") {
  project::AppSpec web = app("web", {});
  CHECK(host_names(web) == std::vector<std::string>{"web.localhost", "web.fly.dev", "web.internal", "web.flycast"});
  web.domains = {"example.com", "www.example.com"};
  CHECK(host_names(web) == std::vector<std::string>{"web.localhost", "web.fly.dev", "web.internal", "web.flycast", "example.com", "www.example.com"});
}

TEST_CASE("what an app offers does not depend on the host's ports") {
  project::AppSpec web = app("web", {service({http(80), port(443, 443, {Handler::kTls, Handler::kHttp})}, 3000), service({raw(9000), http(80)}, 4000)});
  web.host_ports[80] = 12345;
  const PortOffer offer = offered_ports(web);
  REQUIRE(offer.ports.size() == 3);
  CHECK(offer.ports[0].external_port == 80);
  CHECK(offer.ports[0].handlers.http);
  CHECK(offer.ports[0].backend.app == "web");
  CHECK(offer.ports[0].backend.process_group == "app");
  CHECK(offer.ports[0].backend.internal_port == 3000);
  CHECK(offer.ports[1].external_port == 443);
  CHECK(offer.ports[1].handlers == proxy::Handlers{.http = true, .tls = true});
  CHECK(offer.ports[2].external_port == 9000);
  CHECK(offer.ports[2].handlers == proxy::Handlers{});
  CHECK(offer.ports[2].backend.internal_port == 4000);
  CHECK(offer.notes.size() == 1);  // the second service on port 80
}

TEST_CASE("apps that want different host ports for the same external port get them") {
  const std::uint16_t first = free_ports(1);
  const std::uint16_t second = free_ports(1);
  project::AppSpec web = app("web", {service({http(80)})});
  web.host_ports[80] = first;
  project::AppSpec api = app("api", {service({http(80)})});
  api.host_ports[80] = second;
  const PortPlan plan = open({web, api});
  REQUIRE(plan.ports.size() == 2);
  CHECK(plan.ports[0].host_port == first);
  CHECK(plan.ports[1].host_port == second);
}

TEST_CASE("raw TCP cannot be shared: the second app gets the next port") {
  const std::uint16_t number = free_ports(2);
  const PortPlan plan = open({app("one", {service({raw(number)})}), app("two", {service({raw(number)})})});
  REQUIRE(plan.ports.size() == 2);
  CHECK(plan.ports[0].host_port == number);
  CHECK(plan.ports[1].host_port == number + 1);
  REQUIRE(plan.notes.size() == 1);
  CHECK_THAT(plan.notes[0], Catch::StartsWith("two: ") && Catch::Contains(std::to_string(number + 1)));
}

TEST_CASE("of two services of one app on a port the first is published, and it is said") {
  const std::uint16_t number = free_ports(1);
  const PortPlan plan = open({app("web", {service({http(number)}, 3000), service({http(number)}, 4000)})});
  REQUIRE(plan.ports.size() == 1);
  REQUIRE(plan.ports[0].backends.size() == 1);
  CHECK(plan.ports[0].backends[0].internal_port == 3000);
  REQUIRE(plan.notes.size() == 1);
  CHECK_THAT(plan.notes[0], Catch::Contains(std::to_string(number)) && Catch::Contains("more than one service"));
}

TEST_CASE("apps share a port where clients name a host, and each keeps its options") {
  const std::uint16_t number = free_ports(2);
  config::ServicePort plain = port(number, number, {Handler::kTls});
  config::ServicePort mqtt = plain;
  mqtt.tls_options.emplace();
  mqtt.tls_options->alpn = {"mqtt"};
  mqtt.tls_options->versions = {config::TlsVersion::kTls13};
  const PortPlan plan = open({app("one", {service({plain})}), app("two", {service({mqtt})}), app("three", {service({raw(number)})})});
  REQUIRE(plan.ports.size() == 2);
  CHECK(plan.ports[0].handlers == proxy::Handlers{.tls = true});
  REQUIRE(plan.ports[0].backends.size() == 2);
  CHECK(plan.ports[0].backends[0].tls.alpn.empty());
  CHECK(plan.ports[0].backends[0].tls.tls12);
  CHECK(plan.ports[0].backends[1].tls.alpn == std::vector<std::string>{"mqtt"});
  CHECK(!plan.ports[0].backends[1].tls.tls12);
  CHECK(plan.ports[0].backends[1].tls.tls13);
  CHECK(plan.ports[1].handlers == proxy::Handlers{});
  CHECK(plan.ports[0].url("two") == fmt::format("tls two.localhost:{}", plan.ports[0].host_port));
}

TEST_CASE("a range is one listener a port, up to 64 of them") {
  const std::uint16_t first = free_ports(64);
  const auto last = static_cast<std::uint16_t>(first + 63);
  {
    const PortPlan plan = open({app("game", {service({port(first, last, {})})})});
    REQUIRE(plan.ports.size() == 64);
    std::set<std::uint16_t> ports;
    for (const PublishedPort& each : plan.ports) ports.insert(each.host_port);
    CHECK(*ports.begin() == first);
    CHECK(*ports.rbegin() == last);
    CHECK(ports.size() == 64);
    CHECK(accepts(kLoopback4, last));
  }
  const PortPlan larger = open({app("game", {service({port(first, static_cast<std::uint16_t>(last + 1), {}), raw(first)})})});
  REQUIRE(larger.ports.size() == 1);  // what fits is still published
  REQUIRE(larger.notes.size() == 1);
  CHECK_THAT(larger.notes[0], Catch::Contains("game") && Catch::Contains(std::to_string(first)) &&
                                  Catch::Contains(std::to_string(last + 1)) && Catch::Contains("flylocal proxy"));
}

TEST_CASE("what is not published yet is said, with the app, the port and the reason") {
  const std::uint16_t number = free_ports(1);
  config::Service udp = service({raw(5353)}, 5300);
  udp.protocol = config::TransportProtocol::kUdp;
  struct Case {
    const char* name;
    config::Service service;
    std::size_t ports;
    std::vector<std::string> notes;  ///< what the one note contains; empty: there is none
  };
  const Case cases[] = {
      {"UDP", udp, 0, {"web", "UDP", "5300"}},
      {"no ports", service({}), 0, {}},
      {"http alone", service({http(number)}), 1, {}},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const PortPlan plan = open({app("web", {c.service})});
    CHECK(plan.ports.size() == c.ports);
    REQUIRE(plan.notes.size() == (c.notes.empty() ? 0 : 1));
    for (const std::string& part : c.notes) CHECK_THAT(plan.notes[0], Catch::Contains(part));
  }
}

TEST_CASE("an edge is one more host port for port 80") {
  const std::uint16_t first = free_ports(2);
  const auto edge = static_cast<std::uint16_t>(first + 1);
  project::AppSpec shop = app("shop", {service({http(80)}, 9000)});
  shop.host_ports[80] = first;
  shop.edges["syd"] = edge;
  const PortPlan plan = open({shop});
  REQUIRE(plan.ports.size() == 2);
  CHECK(plan.ports[0].edge_region.empty());
  CHECK(plan.ports[1].edge_region == "syd");
  CHECK(plan.ports[1].external_port == 80);
  CHECK(plan.ports[1].host_port == edge);
  CHECK(plan.ports[1].id != plan.ports[0].id);
  REQUIRE(plan.ports[1].backends.size() == 1);
  CHECK(plan.ports[1].backends[0].internal_port == 9000);
  CHECK(accepts(kLoopback4, edge));
}

TEST_CASE("an edge whose port is taken is an error, and one without port 80 a note") {
  const std::uint16_t taken = free_ports(2);
  project::AppSpec shop = app("shop", {service({http(80)})});
  shop.host_ports[80] = taken;
  shop.edges["syd"] = taken;
  CHECK(open_ports({shop}).has_error());
  project::AppSpec database = app("database", {service({raw(static_cast<std::uint16_t>(taken + 1))})});
  database.edges["syd"] = taken;
  const PortPlan plan = open({database});
  CHECK(plan.ports.size() == 1);
  CHECK(plan.notes.size() == 1);
}
