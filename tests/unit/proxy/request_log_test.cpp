#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "proxy/request_log.hpp"
#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

std::vector<LoggedRequest> logged(ProxyWorld& world, std::size_t count) {
  CHECK(eventually([&] { return world.logged_end() >= count; }));
  return world.logged_since(0, 100);
}

}  // namespace

TEST_CASE("the log gives back what was noted, and the newest only once it is full") {
  RequestLog log;
  const auto at = std::chrono::system_clock::time_point(1234s);
  for (std::uint64_t i = 0; i < RequestLog::kSlots + 10; ++i) {
    const std::string target = fmt::format("/{}", i);
    log.note({.at = at, .edge_region = "ams", .app = "hello", .method = "GET", .host = "h", .target = target, .status = 200, .bytes_up = i, .total = 5ms});
  }
  CHECK(log.end() == RequestLog::kSlots + 10);
  const auto first = log.since(3, 2);
  REQUIRE(first.size() == 2);
  CHECK(first[0].number == 10);
  CHECK(first[0].target == "/10");
  CHECK(first[1].number == 11);
  CHECK(first[1].bytes_up == 11);
  CHECK(first[1].at == at);
  CHECK(first[1].total == 5ms);
  CHECK(first[1].app + first[1].edge_region + first[1].method + first[1].host == "helloamsGETh");
  CHECK(first[1].machine.empty());
  CHECK(log.since(RequestLog::kSlots + 9, 100).size() == 1);
  CHECK(log.since(RequestLog::kSlots + 10, 100).empty());
}

TEST_CASE("texts of the greatest size take nothing from other requests") {
  RequestLog log;
  const auto target = [](std::uint64_t i) { return fmt::format("/{}{}", i, std::string(i % 3 == 0 ? 10'000 : 10 * (i % 70), 'x')); };
  for (std::uint64_t i = 0; i < 3 * RequestLog::kSlots; ++i) log.note({.app = "hello", .target = target(i)});
  const auto kept = log.since(0, RequestLog::kSlots + 1);
  REQUIRE(kept.size() == RequestLog::kSlots);
  CHECK(kept.front().number == 2 * RequestLog::kSlots);
  CHECK(std::all_of(kept.begin(), kept.end(), [&](const LoggedRequest& one) {
    return one.app == "hello" && one.target == target(one.number).substr(0, RequestLog::kTextRoom - 5);
  }));
}

TEST_CASE("a long target is cut, and takes nothing from the other texts") {
  RequestLog log;
  const std::string target = "/" + std::string(70'000, 'x');
  const std::string host(255, 'h');
  log.note({.app = "hello", .host = host, .target = target, .error = "PU02"});
  const LoggedRequest read = log.since(0, 1).at(0);
  CHECK(read.app == "hello");
  CHECK(read.error == "PU02");
  CHECK(read.host == host);
  CHECK(read.target.size() == RequestLog::kTextRoom - 255 - 5 - 4);
  CHECK(target.starts_with(read.target));
}

TEST_CASE("requests are logged with what came of them: served, refused, aborted, unreachable") {
  FakeMachine app([](Wire& wire, int) {
    if (has(wire.read_head(), "GET /hang ")) {
      wire.read_to_end();
    } else {
      wire.write(ok("hi"));
    }
  });
  ProxyWorld world({machine("m1", app.endpoint())});
  world.connect().write("GET /\x01 HTTP/1.1\r\n\r\n");
  CHECK(logged(world, 1)[0].status == 400);
  {
    Wire client = world.connect();
    client.write("GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\n");
    CHECK(has(client.read_until("hi"), "200 OK"));
  }
  const LoggedRequest served = logged(world, 2)[1];
  CHECK(served.method + " " + served.host + " " + served.target == "GET h:1 /a?b");
  CHECK(served.app + " " + served.machine + " " + served.region + " " + served.edge_region == "hello m1 ams ams");
  CHECK(served.client == "127.0.0.1");
  CHECK(served.choice == "below its soft limit");
  CHECK(served.protocol == ClientProtocol::http11);
  CHECK(served.status == 200);
  CHECK_FALSE(served.aborted);
  CHECK(served.bytes_up > 100);
  CHECK(served.bytes_down > 50);
  CHECK(served.connect.count() > 0);
  CHECK(served.connect <= served.first_byte);
  CHECK(served.first_byte <= served.total);
  CHECK(served.request_id.ends_with("-ams"));
  CHECK(std::chrono::system_clock::now() - served.at < 1min);
  {
    Wire client = world.connect();
    client.write("GET /hang HTTP/1.0\r\n\r\n");
    CHECK(eventually([&] { return app.accepted() == 2; }));
  }
  const LoggedRequest aborted = logged(world, 3)[2];
  CHECK(aborted.target == "/hang");
  CHECK(aborted.protocol == ClientProtocol::http10);
  CHECK(aborted.status == 0);
  CHECK(aborted.aborted);
  world.service().upstreams = {machine("gone", closed_endpoint())};
  world.publish();
  Wire client = world.connect();
  client.write(kGet);
  CHECK(has(client.read_head(), " 503 "));
  const LoggedRequest unreachable = logged(world, 4)[3];
  CHECK(unreachable.status == 503);
  CHECK(unreachable.error == "PR03");
  CHECK(unreachable.machine.empty());
  CHECK(unreachable.retries > 0);
}

TEST_CASE("connections of a port without the http handler are logged with their bytes") {
  FakeMachine app([](Wire& wire, int) { wire.write("echo " + wire.read_until("\n")); });
  ProxyWorld world({machine("m1", app.endpoint())}, quick_options(), {});
  {
    Wire client = world.connect();
    client.write("hi\n");
    client.end_writing();
    CHECK(client.read_to_end() == "echo hi\n");
  }
  const LoggedRequest served = logged(world, 1)[0];
  CHECK(served.protocol == ClientProtocol::tcp);
  CHECK(served.app + " " + served.machine + " " + served.edge_region == "hello m1 ams");
  CHECK(served.bytes_up == 3);
  CHECK(served.bytes_down == 8);
  CHECK_FALSE(served.aborted);
  CHECK(served.connect <= served.total);
  world.service().upstreams = {machine("gone", closed_endpoint())};
  world.publish();
  CHECK(eventually([&] {
    Wire client = world.connect();
    return client.at_end() && world.logged_since(0, 100).back().error == "PR01";
  }));
}
