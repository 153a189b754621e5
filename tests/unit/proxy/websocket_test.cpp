#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "proxy/websocket_frames.hpp"
#include "proxy_world.hpp"

using namespace flylocal::proxy;
using namespace flylocal::proxy::test;

namespace {

/// RFC 6455 5.2. A client's frames are masked.
std::string frame(std::string_view payload, bool masked = false, char first = '\x82') {
  std::string octets(1, first);
  const char mask_bit = masked ? '\x80' : '\0';
  const auto length = payload.size();
  if (length < 126) {
    octets += static_cast<char>(static_cast<char>(length) | mask_bit);
  } else {
    const int size_octets = length < 65536 ? 2 : 8;
    octets += static_cast<char>((size_octets == 2 ? 126 : 127) | mask_bit);
    for (int i = size_octets; i-- > 0;) octets += static_cast<char>(length >> (8 * i));
  }
  if (masked) octets.append(4, '\0');  // a mask of zeros leaves the payload as it is
  return octets.append(payload);
}

const std::string kFarewell = frame("\x03\xe9", false, '\x88');

/// A machine whose WebSocket says what the test wants.
struct Talk {
  explicit Talk(std::string upgrade = "websocket") : protocol(std::move(upgrade)) {}

  void join() {
    client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol + "\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 101 "));
  }
  /// What the client sends reaches the machine, which sends it back: so it has been passed on.
  void echo(const std::string& octets) {
    client.write(octets);
    CHECK(client.read_exactly(octets.size()) == octets);
  }

  std::string protocol;
  FakeMachine app{[this](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol + "\r\n\r\n");
    for (std::string got; !(got = wire.read_exactly(1)).empty();) wire.write(got);
  }};
  ProxyWorld world{{machine("m1", app.endpoint()), machine("m2", app.endpoint())}};
  Wire client = world.connect();
};

}  // namespace

TEST_CASE("frames of all lengths are followed, however their octets are cut") {
  std::mt19937 random(4711);
  for (int round = 0; round < 200; ++round) {
    WebSocketFrames frames;
    std::string octets;
    std::vector<std::size_t> ends{0};
    for (int i = 0; i < 6; ++i) {
      constexpr std::size_t kLengths[] = {0, 1, 125, 126, 127, 300, 65535, 65536, 70000};
      octets += frame(std::string(kLengths[random() % std::size(kLengths)], 'x'), random() % 2 == 0);
      ends.push_back(octets.size());
    }
    for (std::size_t at = 0; at < octets.size();) {
      const std::size_t most = random() % 2 == 0 ? 12 : 80000;
      const std::size_t size = std::min<std::size_t>(random() % most + 1, octets.size() - at);
      frames.pass(std::string_view(octets).substr(at, size));
      at += size;
      CHECK(frames.between_frames() == (std::find(ends.begin(), ends.end(), at) != ends.end()));
    }
  }
}

TEST_CASE("a WebSocket's client is told that its machine goes away") {
  Talk talk;
  talk.join();
  talk.echo(frame("hello"));
  // Which of the two machines it is, is the proxy's choice.
  talk.world.announce_leave("m1");
  talk.world.announce_leave("m2");
  CHECK(talk.client.read_exactly(kFarewell.size()) == kFarewell);
  // What the two go on to say is passed on: the client's own close frame, and the machine's.
  talk.echo(frame("\x03\xe9", true, '\x88'));
}

TEST_CASE("the word that a machine goes away waits for the end of a frame") {
  Talk talk;
  talk.join();
  const std::string message = frame(std::string(1000, 'm'));
  talk.echo(message.substr(0, 500));
  talk.world.announce_leave("m1");
  talk.world.announce_leave("m2");
  const std::string rest = message.substr(500);
  talk.client.write(rest);
  CHECK(talk.client.read_exactly(rest.size() + kFarewell.size()) == rest + kFarewell);
}

TEST_CASE("other machines' WebSockets, other protocols and requests are not told") {
  Talk other("echo");
  other.join();
  other.world.announce_leave("m1");
  other.world.announce_leave("m2");
  other.echo(frame("hello"));
  Talk talk;
  talk.join();
  talk.world.announce_leave("m3");
  talk.echo(frame("hello"));
}
