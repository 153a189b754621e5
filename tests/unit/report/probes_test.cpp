#include "flylocal/report/probes.hpp"

#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio.hpp>
#include <catch2/catch.hpp>

#include "flylocal/base/async.hpp"

namespace flylocal::report {
namespace {

using asio::ip::tcp;

/// A server with room for one connection, which is taken already.
struct FullServer {
  asio::io_context context;
  tcp::acceptor acceptor{context, tcp::v6()};
  tcp::socket visitor{context};

  FullServer() {
    acceptor.bind({asio::ip::address_v6::loopback(), 0});
    acceptor.listen(0);
    visitor.connect(acceptor.local_endpoint());
  }

  /// How many connections it has not taken for want of room.
  std::uint32_t refused() {
    std::array<std::uint32_t, SK_MEMINFO_VARS> figures{};
    socklen_t size = sizeof figures;
    REQUIRE(::getsockopt(acceptor.native_handle(), SOL_SOCKET, SO_MEMINFO, figures.data(), &size) == 0);
    return figures[SK_MEMINFO_DROPS];
  }

  Reach knocked() {
    std::optional<Reach> reach;
    asio::co_spawn(context, [this]() -> Task<Reach> { co_return co_await knock(Origin{}, acceptor.local_endpoint()); }, [&](std::exception_ptr, Reach found) { reach = found; });
    while (!reach) {
      context.run_one_for(std::chrono::milliseconds(10));
      context.restart();
      meanwhile();
    }
    return *reach;
  }

  std::function<void()> meanwhile = [] {};
};

TEST_CASE("a listener that has no room twice and then has some accepts connections") {
  FullServer server;
  tcp::socket accepted(server.context);
  server.meanwhile = [&] {
    if (server.refused() == 2 && !accepted.is_open()) server.acceptor.accept(accepted);
  };
  CHECK(server.knocked() == Reach::kReachable);
  CHECK(accepted.is_open());
}

TEST_CASE("a listener that never has room accepts no connections") {
  FullServer server;
  CHECK(server.knocked() == Reach::kTimedOut);
}

}  // namespace
}  // namespace flylocal::report
