#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "proxy/upstream_pool.hpp"
#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;

namespace {

struct NoTurn final : Turn {
  void take_turn() override {}
};

/// A connection that the proxy has made, with the machine's end in the test's hand.
struct Connected {
  Connected() : listener(open_listener("127.0.0.1")), poller(std::make_shared<Poller>(context.get_executor())) {
    poller->start();
    Upstream upstream = machine("m1", {asio::ip::make_address_v4("127.0.0.1"), port_of(listener)});
    connection = std::make_unique<UpstreamConnection>(*poller, owner, upstream.endpoint);
    REQUIRE(connection->begin_connect(upstream) == 0);
    REQUIRE(turn_until([&] { return connection->channel().writable(); }));
    REQUIRE(connection->connect_result() == 0);
    accepted.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(accepted);
  }
  ~Connected() {
    connection.reset();
    poller->stop();
    context.poll();
  }

  void send(std::string text) {
    iovec piece{text.data(), text.size()};
    REQUIRE(connection->channel().write({&piece, 1}).bytes == text.size());
  }
  std::string receive() {
    char text[64];
    const auto got = ::recv(accepted.get(), text, sizeof text, 0);
    return std::string(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  bool turn_until(const std::function<bool()>& condition) {
    return eventually([&] {
      context.poll();
      return condition();
    });
  }
  bool becomes(UpstreamConnection::Fate fate) {
    return turn_until([&] { return connection->fate_of_request() == fate; });
  }

  asio::io_context context;
  UniqueFd listener;
  std::shared_ptr<Poller> poller;
  NoTurn owner;
  std::unique_ptr<UpstreamConnection> connection;
  UniqueFd accepted;
};

using Fate = UpstreamConnection::Fate;

}  // namespace

TEST_CASE("a request that crosses the end of its connection was read by nobody") {
  Connected world;
  world.send("first");
  REQUIRE(world.receive() == "first");
  world.connection->mark_request();
  world.accepted.reset();
  // The end has come; what is sent now finds nobody.
  REQUIRE(world.becomes(Fate::undecided));
  world.send("second");
  CHECK(world.becomes(Fate::dropped));
}

TEST_CASE("a request that was with the machine before the end may have been read") {
  Connected world;
  SECTION("the program read it, and closed") {
    world.connection->mark_request();
    world.send("request");
    REQUIRE(world.receive() == "request");
    world.accepted.reset();
  }
  SECTION("the program closed without reading it, which is not to be seen from here") {
    world.connection->mark_request();
    world.send("request");
    REQUIRE(eventually([&] {
      char byte;
      return ::recv(world.accepted.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    }));
    world.accepted.reset();
  }
  SECTION("the program reset the connection") {
    world.connection->mark_request();
    world.send("request");
    REQUIRE(world.receive() == "request");
    linger abort{.l_onoff = 1, .l_linger = 0};
    REQUIRE(::setsockopt(world.accepted.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0);
    world.accepted.reset();
  }
  REQUIRE(world.turn_until([&] { return world.connection->channel().readable(); }));
  CHECK(world.connection->fate_of_request() == Fate::unknown);
}
