#include "netns/backbone.hpp"

#include <catch2/catch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include <poll.h>
#include <sys/socket.h>

#include "netns/sockets.hpp"

using namespace flylocal;
using namespace flylocal::netns;
using boost::asio::ip::address;
using boost::asio::ip::make_address;
using boost::asio::ip::make_address_v4;
using boost::asio::ip::make_address_v6;
using boost::asio::ip::tcp;

namespace {

/// Whether it worked; if not, the reason is shown with the assertion.
template <class T>
bool ok(const Result<T>& result) {
  if (!result) UNSCOPED_INFO(result.error().message);
  return result.has_value();
}

/// A namespace on a network, as a machine's.
struct Place {
  NetworkNamespace ns;
  GuestNetwork address;
};

Place attach(Backbone& backbone, const SixPnNetwork& network, const GuestNetwork& guest) {
  auto ns = NetworkNamespace::create();
  REQUIRE(ok(ns));
  REQUIRE(ok(backbone.attach(network, guest, *ns)));
  return {std::move(*ns), guest};
}

/// Connects from inside a namespace, ten seconds at most; the error, if any.
int dial(boost::asio::io_context& context, const Place& from, const tcp::endpoint& to, tcp::socket& socket) {
  auto visit = NamespaceVisit::to(from.ns);
  REQUIRE(ok(visit));
  socket = tcp::socket(context, to.protocol());
  socket.non_blocking(true);
  if (::connect(socket.native_handle(), to.data(), static_cast<socklen_t>(to.size())) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd wait{socket.native_handle(), POLLOUT, 0};
  REQUIRE(::poll(&wait, 1, 10000) == 1);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

struct Network {
  SixPnNetwork near{"br-near", make_address_v6("fdaa:0:18::")};
  SixPnNetwork far{"br-far", make_address_v6("fdaa:9:d844::")};
  GuestNetwork near_guest{"m0", make_address_v4("172.19.0.2"), make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2")};
  GuestNetwork far_guest{"m1", make_address_v4("172.19.0.10"), make_address_v6("fdaa:9:d844:a7b:e:33bd:e8b1:2")};
};

const address kPublic[] = {make_address("198.18.7.9"), make_address("2001:2::709")};

}  // namespace

TEST_CASE("guests of every network reach a public address in the backbone, each as itself") {
  auto backbone = Backbone::create();
  REQUIRE(ok(backbone));
  const Network names;
  REQUIRE(ok(backbone->add_network(names.near)));
  REQUIRE(ok(backbone->add_network(names.far)));
  boost::asio::io_context context;
  for (const address& one : kPublic) REQUIRE(ok(backbone->add_public_address(one)));
  const Place places[] = {attach(*backbone, names.near, names.near_guest), attach(*backbone, names.far, names.far_guest)};
  for (const address& one : kPublic) {
    auto listener = listen_tcp({one, 80});
    REQUIRE(ok(listener));
    for (const Place& place : places) {
      INFO(one.to_string() << " from " << place.address.veth);
      tcp::socket socket(context);
      REQUIRE(dial(context, place, {one, 80}, socket) == 0);
      tcp::endpoint peer;
      auto size = static_cast<socklen_t>(peer.capacity());
      UniqueFd accepted(::accept(listener->get(), peer.data(), &size));
      REQUIRE(accepted);
      CHECK(peer.address() == (one.is_v4() ? address(place.address.private_ipv4) : address(place.address.six_pn)));
      // A port on which nobody listens says so at once.
      tcp::socket refused(context);
      CHECK(dial(context, place, {one, 443}, refused) == ECONNREFUSED);
    }
  }
}

TEST_CASE("an address that is not given to the backbone is not reached over IPv4") {
  auto backbone = Backbone::create();
  REQUIRE(ok(backbone));
  const Network names;
  REQUIRE(ok(backbone->add_network(names.near)));
  REQUIRE(ok(backbone->add_public_address(kPublic[0])));
  boost::asio::io_context context;
  const Place place = attach(*backbone, names.near, names.near_guest);
  auto listener = listen_tcp({boost::asio::ip::address_v4::any(), 80});
  REQUIRE(ok(listener));
  tcp::socket socket(context);
  CHECK(dial(context, place, {make_address("198.18.7.10"), 80}, socket) == ENETUNREACH);
  CHECK(dial(context, place, {kPublic[0], 80}, socket) == 0);
}

TEST_CASE("a public address is no source of what goes from the backbone to a guest") {
  auto backbone = Backbone::create();
  REQUIRE(ok(backbone));
  const Network names;
  for (const address& one : kPublic) REQUIRE(ok(backbone->add_public_address(one)));
  REQUIRE(ok(backbone->add_network(names.near)));
  const Place place = attach(*backbone, names.near, names.near_guest);
  boost::asio::io_context context;
  auto source_towards = [&](const address& guest) {
    boost::asio::ip::udp::socket socket(context);
    socket.connect({guest, 9});
    return socket.local_endpoint().address();
  };
  CHECK(source_towards(place.address.six_pn) == names.near.edge_address());
  CHECK(source_towards(place.address.private_ipv4) == place.address.gateway());
}
