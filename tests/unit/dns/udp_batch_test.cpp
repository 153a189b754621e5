#include "dns/udp_batch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <map>

#include "tests/unit/dns/loopback.hpp"

using namespace flylocal::dns;
using namespace loopback;
using flylocal::UniqueFd;

namespace {

/// A socket on the loopback interface that sends to a server and receives what comes back.
class Peer {
 public:
  explicit Peer(const asio::ip::udp::endpoint& server) : fd_(::socket(server.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    require(::connect(fd_.get(), server.data(), static_cast<socklen_t>(server.size())) == 0, "connect UDP");
  }
  /// Datagrams that the kernel did not cut apart come as one from now on (udp(7)).
  void keep_segments_together() {
    const int on = 1;
    require(::setsockopt(fd_.get(), SOL_UDP, UDP_GRO, &on, sizeof on) == 0, "UDP_GRO");
  }
  void send(const Bytes& octets) {
    require(::send(fd_.get(), octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size()), "send UDP");
  }
  /// Empty when nothing has come: on the loopback interface what was sent is there.
  Bytes receive() {
    Bytes octets(65536);
    const auto size = ::recv(fd_.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    octets.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return octets;
  }

 private:
  UniqueFd fd_;
};

/// Receives the queries that are there and answers each with `octets_of` its first octet.
template <class OctetsOf>
int answer_all(UdpBatch& batch, int receive_on, int send_on, OctetsOf octets_of) {
  const int count = batch.receive(receive_on);
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    batch.answer(index) = octets_of(batch.query(index)[0]);
    batch.add_answer(index);
  }
  batch.send(send_on);
  return count;
}

}  // namespace

TEST_CASE("every peer gets its own answers, whatever their lengths, over IPv4 and IPv6") {
  for (const char* address : {"127.0.0.1", "::1"}) {
    BoundPair server(address);
    Peer first(server.endpoint), second(server.endpoint);
    // Three lengths, and several answers of each to either peer, in turns.
    for (std::uint8_t i = 0; i < 24; ++i) (i % 2 == 0 ? first : second).send({i});
    UdpBatch batch;
    REQUIRE(answer_all(batch, server.udp.get(), server.udp.get(), [](std::uint8_t i) { return Bytes(20u + i % 3u, i); }) == 24);
    for (Peer* peer : {&first, &second}) {
      std::map<std::uint8_t, std::size_t> sizes;
      for (auto octets = peer->receive(); !octets.empty(); octets = peer->receive()) {
        CHECK(std::count(octets.begin(), octets.end(), octets[0]) == static_cast<std::ptrdiff_t>(octets.size()));
        CHECK(sizes.emplace(octets[0], octets.size()).second);
      }
      CHECK(sizes.size() == 12);
      for (const auto& [i, size] : sizes) {
        CHECK(i % 2 == (peer == &first ? 0 : 1));
        CHECK(size == 20u + i % 3u);
      }
    }
  }
}

TEST_CASE("a batch of the largest answers to one peer is more than one message can hold, and leaves whole") {
  BoundPair server("::1");
  Peer peer(server.endpoint);
  for (std::uint8_t i = 0; i < UdpBatch::kMostDatagrams; ++i) peer.send({i});
  UdpBatch batch;
  REQUIRE(answer_all(batch, server.udp.get(), server.udp.get(), [](std::uint8_t i) { return Bytes(kMaxUdpSize, i); }) ==
          static_cast<int>(UdpBatch::kMostDatagrams));
  std::size_t received = 0;
  for (auto octets = peer.receive(); !octets.empty(); octets = peer.receive(), ++received) CHECK(octets.size() == kMaxUdpSize);
  CHECK(received == UdpBatch::kMostDatagrams);
}

TEST_CASE("a query that is too large is cut to its header") {
  BoundPair server;
  Peer peer(server.endpoint);
  peer.send(Bytes(4097, 7));
  peer.send(Bytes(4096, 7));
  UdpBatch batch;
  REQUIRE(batch.receive(server.udp.get()) == 2);
  CHECK(batch.query(0).size() == kHeaderSize);
  CHECK(batch.query(1).size() == 4096);
}

TEST_CASE("a peer to whom nothing can be sent does not end segmentation for the others") {
  BoundPair server;
  Peer peer(server.endpoint);
  peer.keep_segments_together();
  UdpBatch batch;
  auto answers = [](std::uint8_t i) { return Bytes(40, i); };
  peer.send({1});
  peer.send({2});
  // A socket of another family takes none of these peers' addresses: EINVAL, as for a port of 0.
  const UniqueFd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE(answer_all(batch, server.udp.get(), other.get(), answers) == 2);
  CHECK(peer.receive().empty());

  peer.send({1});
  peer.send({2});
  REQUIRE(answer_all(batch, server.udp.get(), server.udp.get(), answers) == 2);
  CHECK(peer.receive().size() == 80);
}
