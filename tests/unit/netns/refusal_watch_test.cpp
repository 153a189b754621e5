#include "netns/refusal_watch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <set>
#include <span>
#include <vector>

#include "netns/backbone.hpp"

using namespace flylocal;
using namespace flylocal::netns;
using boost::asio::ip::address_v6;
using boost::asio::ip::make_address_v6;

namespace {

constexpr int kMostWait = 5000;  // ms, for what takes microseconds

/// Whether it worked; if not, the reason is shown with the assertion.
template <class T>
bool ok(const Result<T>& result) {
  if (!result) UNSCOPED_INFO(result.error().message);
  return result.has_value();
}

/// A machine without programs: a namespace on the backbone's bridge, whose sockets the test makes itself.
class EmptyMachine {
 public:
  EmptyMachine(Backbone& backbone, const SixPnNetwork& network, const char* veth, const char* private_ipv4, const char* six_pn)
      : address(make_address_v6(six_pn)), namespace_(NetworkNamespace::create().value()) {
    REQUIRE(ok(backbone.attach(network, {veth, boost::asio::ip::make_address_v4(private_ipv4), address}, namespace_)));
  }

  /// A socket of this machine; IPv6 TCP.
  UniqueFd socket() const {
    auto visit = NamespaceVisit::to(namespace_);
    REQUIRE(ok(visit));
    UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(fd);
    return fd;
  }

  UniqueFd listen(std::uint16_t port) const {
    UniqueFd fd = socket();
    const sockaddr_in6 where = raw(address, port);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
    REQUIRE(::listen(fd.get(), 8) == 0);
    return fd;
  }

  static sockaddr_in6 raw(const address_v6& to, std::uint16_t port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    const auto octets = to.to_bytes();
    std::copy(octets.begin(), octets.end(), result.sin6_addr.s6_addr);
    return result;
  }

  const address_v6 address;

 private:
  NetworkNamespace namespace_;
};

/// Connects and waits for the outcome: an errno, or 0.
int connect(const UniqueFd& socket, const address_v6& to, std::uint16_t port) {
  const sockaddr_in6 where = EmptyMachine::raw(to, port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd done{socket.get(), POLLOUT, 0};
  if (::poll(&done, 1, kMostWait) != 1) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

UniqueFd accept(const UniqueFd& listener) {
  pollfd ready{listener.get(), POLLIN, 0};
  REQUIRE(::poll(&ready, 1, kMostWait) == 1);
  UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(accepted);
  return accepted;
}

/// Closes with a reset instead of a farewell.
void abort(UniqueFd socket) {
  const linger at_once{1, 0};
  REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
}

std::set<Refusal> drain(RefusalWatch& watch) {
  std::set<Refusal> seen;
  while (auto one = watch.next()) seen.insert(*one);
  return seen;
}

struct TwoMachines {
  Backbone backbone = Backbone::create().value();
  SixPnNetwork network{"br-default", make_address_v6("fdaa:0:18::")};
  bool has_network = ok(backbone.add_network(network));
  EmptyMachine web{backbone, network, "m0", "172.19.0.2", "fdaa:0:18:a7b:7d:f066:b83b:2"};
  EmptyMachine db{backbone, network, "m1", "172.19.0.10", "fdaa:0:18:a7b:7d:1111:2222:2"};
};

}  // namespace

TEST_CASE("a packet is read where both its headers are whole, and from nothing else (RFC 8200 3, RFC 9293 3.1)") {
  std::vector<unsigned char> packet(60);
  const auto server = make_address_v6("fdaa:0:18::2").to_bytes(), client = make_address_v6("fdaa:0:18::3").to_bytes();
  std::copy(server.begin(), server.end(), packet.begin() + 8);
  std::copy(client.begin(), client.end(), packet.begin() + 24);
  packet[40] = 0x15;
  packet[41] = 0x38;
  for (const std::size_t options : {0u, 12u}) {
    packet.resize(60 + options, 0xff);
    const auto refusal = read_refusal(packet);
    REQUIRE(refusal);
    CHECK(refusal->server == make_address_v6("fdaa:0:18::2"));
    CHECK(refusal->port == 5432);
    CHECK(refusal->client == make_address_v6("fdaa:0:18::3"));
  }
  for (std::size_t size = 0; size < 60; ++size) CHECK_FALSE(read_refusal(std::span(packet).first(size)));
}

TEST_CASE("a connect that the server's kernel refuses is seen, with both addresses and the port") {
  TwoMachines two;
  auto watch = RefusalWatch::open();
  REQUIRE(ok(watch));
  CHECK_FALSE(watch->next());
  REQUIRE(connect(two.web.socket(), two.db.address, 5432) == ECONNREFUSED);
  // The client learnt of it from the packet that the watch has seen before.
  const std::set<Refusal> seen = drain(*watch);
  REQUIRE(seen.size() == 1);
  CHECK(seen.begin()->server == two.db.address);
  CHECK(seen.begin()->port == 5432);
  CHECK(seen.begin()->client == two.web.address);
  CHECK(drain(*watch).empty());
}

TEST_CASE("each refusal is told apart by server, port and client") {
  TwoMachines two;
  auto watch = RefusalWatch::open();
  REQUIRE(ok(watch));
  REQUIRE(connect(two.web.socket(), two.db.address, 80) == ECONNREFUSED);
  REQUIRE(connect(two.web.socket(), two.db.address, 81) == ECONNREFUSED);
  REQUIRE(connect(two.db.socket(), two.web.address, 80) == ECONNREFUSED);
  const std::set<Refusal> seen = drain(*watch);
  CHECK(seen.size() == 3);
  for (const Refusal& one : {Refusal{two.db.address, 80, two.web.address}, Refusal{two.db.address, 81, two.web.address}, Refusal{two.web.address, 80, two.db.address}})
    CHECK(seen.contains(one));
}

TEST_CASE("connections that were accepted are no refusals, however they end") {
  TwoMachines two;
  auto watch = RefusalWatch::open();
  REQUIRE(ok(watch));
  const UniqueFd listener = two.db.listen(5432);
  auto connected = [&] {
    UniqueFd client = two.web.socket();
    REQUIRE(connect(client, two.db.address, 5432) == 0);
    return client;
  };
  {
    UniqueFd client = connected();
    const UniqueFd server = accept(listener);
  }
  {
    UniqueFd client = connected();
    abort(accept(listener));
  }
  {
    UniqueFd client = connected();
    const UniqueFd server = accept(listener);
    abort(std::move(client));
  }
  {
    // Data for a socket that is gone draws a reset, too.
    UniqueFd client = connected();
    accept(listener).reset();
    pollfd closed{client.get(), POLLIN, 0};
    REQUIRE(::poll(&closed, 1, kMostWait) == 1);
    REQUIRE(::send(client.get(), "x", 1, MSG_NOSIGNAL) == 1);
    closed.events = 0;
    REQUIRE(::poll(&closed, 1, kMostWait) == 1);  // POLLERR: the reset has come back
  }
  // What is refused now comes behind all of that.
  REQUIRE(connect(two.web.socket(), two.db.address, 1) == ECONNREFUSED);
  const std::set<Refusal> seen = drain(*watch);
  REQUIRE(seen.size() == 1);
  CHECK(seen.begin()->port == 1);
}

TEST_CASE("refusals over IPv4 are none of 6PN") {
  TwoMachines two;
  auto watch = RefusalWatch::open();
  REQUIRE(ok(watch));
  // From the backbone, as Fly Proxy does; in this namespace after Backbone::create().
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(80);
  REQUIRE(::inet_pton(AF_INET, "172.19.0.2", &where.sin_addr) == 1);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == -1);
  REQUIRE(errno == ECONNREFUSED);
  REQUIRE(connect(two.web.socket(), two.db.address, 1) == ECONNREFUSED);
  const std::set<Refusal> seen = drain(*watch);
  REQUIRE(seen.size() == 1);
  CHECK(seen.begin()->port == 1);
}

TEST_CASE("a watch sees what comes after it was opened") {
  TwoMachines two;
  REQUIRE(connect(two.web.socket(), two.db.address, 80) == ECONNREFUSED);
  auto watch = RefusalWatch::open();
  REQUIRE(ok(watch));
  CHECK_FALSE(watch->next());
}
