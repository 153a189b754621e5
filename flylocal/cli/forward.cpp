#include "flylocal/cli/forward.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <charconv>

#include "flylocal/base/async.hpp"
#include "flylocal/base/task_group.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"

namespace flylocal::cli {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

template <class From, class To>
Task<> pump(From& from, To& to) {
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    auto [error, n] = co_await from.async_read_some(asio::buffer(buffer), as_result);
    if (error) break;
    auto [broken, written] = co_await asio::async_write(to, asio::buffer(buffer.data(), n), as_result);
    if (broken) break;
  }
  boost::system::error_code ignored;
  to.shutdown(To::shutdown_send, ignored);
}

Task<> carry(TcpSocket client, std::string target) {
  using namespace asio::experimental::awaitable_operators;
  auto sandbox = connect_to_sandbox();
  if (!sandbox) co_return;
  auto connection = sandbox->upgrade(target, boost::json::object());
  if (!connection) {
    complain(connection.error().message);
    co_return;
  }
  LocalSocket machine(co_await asio::this_coro::executor, asio::local::stream_protocol(), connection->release());
  co_await (pump(client, machine) && pump(machine, client));
}

Task<> accept_loop(TcpAcceptor& acceptor, TaskGroup& tasks, std::string target) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      complain("accept: " + error.message());
      co_await sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    tasks.spawn("forwarded connection", carry(TcpSocket(std::move(socket)), target));
  }
}

}  // namespace

int forward_port(const ForwardOptions& options) {
  const std::size_t colon = options.ports.find(':');
  auto local = parse_port(std::string_view(options.ports).substr(0, colon));
  auto remote = colon == std::string::npos ? local : parse_port(std::string_view(options.ports).substr(colon + 1));
  if (!local || !remote) {
    complain(fmt::format("ports: found {:?}, allowed: LOCAL:REMOTE, e.g. 15432:5432", options.ports));
    return kCannotRun;
  }
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.bind_address, error);
  if (error) {
    complain(fmt::format("--bind-addr: {:?} is not an IP address", options.bind_address));
    return kCannotRun;
  }
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  auto machine = choose_machine(*status, options.app, options.machine);
  if (!machine) return kCannotRun;

  asio::io_context context(1);
  TcpAcceptor acceptor(context.get_executor());
  const asio::ip::tcp::endpoint endpoint(address, *local);
  acceptor.open(endpoint.protocol(), error);
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    complain(fmt::format("listen on {} port {}: {}", options.bind_address, *local, error.message()));
    return kCannotRun;
  }
  say(fmt::format("Forwarding {}:{} to [{}]:{} (machine {} of {})", options.bind_address, *local, text_of(*machine, "private_ip"),
                  *remote, text_of(*machine, "id"), text_of(*machine, "app")));
  TaskGroup tasks(context.get_executor());
  ::signal(SIGPIPE, SIG_IGN);
  asio::basic_signal_set<Executor> signals(context.get_executor(), SIGINT, SIGTERM);
  auto life = [&]() -> Task<> {
    tasks.spawn("listener", accept_loop(acceptor, tasks, fmt::format("/flylocal/v1/machines/{}/dial/{}", text_of(*machine, "id"), *remote)));
    co_await signals.async_wait(as_result);
    acceptor.close();
    tasks.cancel();
    co_await tasks.wait();
  };
  asio::co_spawn(context, life(), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  context.run();
  return kOk;
}

}  // namespace flylocal::cli
