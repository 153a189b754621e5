#include <catch2/catch.hpp>

#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

TEST_CASE("a TCP service gets the client's bytes as they are, and each direction ends by itself") {
  FakeMachine app([](Wire& wire, int) {
    wire.write("welcome\n");
    std::string all = wire.read_to_end();
    wire.write("you said " + all);
  });
  ProxyWorld world({machine("m1", app.endpoint())}, quick_options(), {});
  Wire client = world.connect();
  CHECK(client.read_until("\n") == "welcome\n");
  client.write("GET \x00\xff\n");
  client.end_writing();
  CHECK(client.read_to_end() == "you said GET ");
  CHECK(client.end_error() == 0);
  CHECK(eventually([&] { return world.stats().clients_now == 0; }));
  CHECK(world.service().upstreams[0].load->current == 0);
}

TEST_CASE("a machine that ends its direction first can still be written to") {
  Notes heard;
  FakeMachine app([&](Wire& wire, int) {
    wire.write("bye");
    wire.end_writing();
    heard.add(wire.read_to_end());
  });
  ProxyWorld world({machine("m1", app.endpoint())}, quick_options(), {});
  Wire client = world.connect();
  CHECK(client.read_to_end() == "bye");
  client.write("still here");
  client.close();
  CHECK(eventually([&] { return heard.all() == std::vector<std::string>{"still here"}; }));
}

TEST_CASE("megabytes go both ways at once through a TCP service") {
  constexpr std::size_t kSize = 8 * 1024 * 1024;
  FakeMachine app([](Wire& wire, int) {
    std::string part;
    while (!(part = wire.read_exactly(10000)).empty()) wire.write(part);
  });
  ProxyWorld world({machine("m1", app.endpoint())}, quick_options(), {});
  Wire client = world.connect();
  std::string sent(kSize, ' ');
  for (std::size_t i = 0; i < kSize; ++i) sent[i] = static_cast<char>(i * 31 + i / 255);
  std::thread sender([&] {
    client.write(sent);
    client.end_writing();
  });
  std::string received = client.read_to_end();
  sender.join();
  CHECK(received == sent);
}

TEST_CASE("a client of a TCP service without a machine gets a reset") {
  ProxyWorld world({machine("m1", closed_endpoint())}, quick_options(), {});
  Wire client = world.connect();
  CHECK(client.at_end());
  CHECK(client.end_error() == ECONNRESET);
}

TEST_CASE("a reset on either side of a TCP service becomes a reset on the other") {
  Notes ends;
  FakeMachine app([&](Wire& wire, int connection) {
    wire.read_exactly(1);
    if (connection == 0) return wire.reset();
    ends.add("open");
    wire.read_to_end();
    ends.add(std::to_string(wire.end_error()));
  });
  ProxyWorld world({machine("m1", app.endpoint())}, quick_options(), {});
  Wire first = world.connect();
  first.write("x");
  CHECK(first.at_end());
  CHECK(first.end_error() == ECONNRESET);
  Wire second = world.connect();
  second.write("x");
  CHECK(eventually([&] { return ends.all().size() == 1; }));
  second.reset();
  CHECK(eventually([&] {
    return ends.all() == std::vector<std::string>{"open", std::to_string(ECONNRESET)};
  }));
}

TEST_CASE("a port that is not in the snapshot turns clients away") {
  ProxyWorld world({machine("m1", closed_endpoint())});
  world.snapshot().ports.clear();
  world.publish();
  Wire client = world.connect();
  CHECK(client.at_end());
  CHECK(world.stats().clients_now == 0);
}
