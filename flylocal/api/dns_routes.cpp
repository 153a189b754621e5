#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

#include "flylocal/api/dns_json.hpp"
#include "flylocal/api/log_stream.hpp"
#include "flylocal/api/routes.hpp"
#include "flylocal/platform/addressing.hpp"
#include "flylocal/report/name_world.hpp"
#include "netns/sockets.hpp"

namespace flylocal::api {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using sandbox::Sandbox;

constexpr auto kDnsLimit = 6s;
constexpr std::size_t kMaxDnsMessage = 65535;
/// The app's name of flylocal's own peer.
constexpr const char* kOwnPeer = "flylocal";

/// Sends a DNS query as a peer on the app's network does, to its resolver, and returns the answer.
Task<Result<std::string>> ask_dns(Sandbox& sandbox, const sandbox::SandboxNetwork& network, std::string query, bool over_tcp) {
  auto fd = co_await sandbox.backbone_thread().run([&]() -> Result<UniqueFd> {
    auto visit = netns::NamespaceVisit::to(*network.peer);
    if (!visit) return visit.error();
    UniqueFd made(::socket(AF_INET6, (over_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return system_error("make a socket", errno);
    return made;
  });
  if (!fd) co_return fd.error();
  const Executor executor = co_await asio::this_coro::executor;
  Timer limit(executor, kDnsLimit);
  std::string answer(kMaxDnsMessage, '\0');
  auto exchange = [&]() -> Task<std::optional<std::size_t>> {
    if (over_tcp) {
      TcpSocket socket(executor, asio::ip::tcp::v6(), fd->release());
      auto [refused] = co_await socket.async_connect({netns::resolver_address(), 53}, as_result);
      if (refused) co_return std::nullopt;
      const std::string length{static_cast<char>(query.size() >> 8), static_cast<char>(query.size())};
      const std::string framed = length + query;
      auto [unsent, n] = co_await asio::async_write(socket, asio::buffer(framed), as_result);
      unsigned char prefix[2];
      auto [cut, got] = co_await asio::async_read(socket, asio::buffer(prefix), as_result);
      if (unsent || cut) co_return std::nullopt;
      auto [short_read, size] = co_await asio::async_read(socket, asio::buffer(answer.data(), static_cast<std::size_t>(prefix[0]) << 8 | prefix[1]), as_result);
      co_return short_read ? std::nullopt : std::optional(size);
    }
    UdpSocket socket(executor, asio::ip::udp::v6(), fd->release());
    auto [refused] = co_await socket.async_connect({netns::resolver_address(), 53}, as_result);
    auto [unsent, sent] = co_await socket.async_send(asio::buffer(query), as_result);
    if (refused || unsent) co_return std::nullopt;
    auto [failed, size] = co_await socket.async_receive(asio::buffer(answer), as_result);
    co_return failed ? std::nullopt : std::optional(size);
  };
  auto outcome = co_await (exchange() || limit.async_wait(as_result));
  if (outcome.index() == 1 || !std::get<0>(outcome)) co_return Error{"the resolver did not answer"};
  answer.resize(*std::get<0>(outcome));
  co_return Result<std::string>(boost::system::in_place_value, std::move(answer));
}

/// Who had this address in this network. Made anew for each part of the log: machines come and go.
DnsClient client_of(Sandbox& sandbox, const dns::QueryRecord& record) {
  DnsClient client;
  for (const project::AppSpec& app : sandbox.apps()) {
    const sandbox::SandboxNetwork& network = sandbox.network_of_app(app);
    if (static_cast<dns::NetworkId>(network.number) != record.network) continue;
    client.network = fmt::format("{}/{}", app.organization, app.network);
    if (record.client == platform::peer_address(network.number)) client.app = kOwnPeer;
    break;
  }
  for (const auto& machine : sandbox.machines()) {
    if (machine->spec().address.six_pn != record.client) continue;
    client.app = machine->spec().record.app;
    client.machine = machine->id();
  }
  return client;
}

/// What the caller wants of the log.
struct LogFilter {
  std::string app, machine;
  std::string name;  ///< lower case; a part of the name will do

  bool fits(const dns::QueryRecord& record, const DnsClient& client) const {
    if (!app.empty() && client.app != app) return false;
    if (!machine.empty() && !client.machine.starts_with(machine)) return false;
    return name.empty() || record.name.lower_case().text().find(name) != std::string::npos;
  }
};

Task<> stream_queries(Sandbox& sandbox, const Request& request, Stream& stream) {
  LogFilter filter{request.get("app"), request.get("machine"), request.get("name")};
  std::transform(filter.name.begin(), filter.name.end(), filter.name.begin(), [](char c) { return dns::lower_case(c); });
  const dns::Server& server = sandbox.dns();
  const LogSource<dns::QueryRecord> source{
      .end = [&server] { return server.logged_end(); },
      .since = [&server](std::uint64_t from, std::size_t most) { return server.logged_since(from, most); },
      .line =
          [&](const dns::QueryRecord& record) {
            const DnsClient client = client_of(sandbox, record);
            return filter.fits(record, client) ? std::optional(query_json(record, client)) : std::nullopt;
          },
      .slots = dns::QueryLog::kSlots};
  co_await stream_log(sandbox.logs(), request, stream, source);
}

/// The app that a request names, or the first; null when there is none of that name.
const project::AppSpec* asker_of(Sandbox& sandbox, const Request& request) {
  const std::string name = request.get("app");
  return name.empty() ? &sandbox.apps().front() : sandbox.find_app(name);
}

Task<Reply> dns_query(Sandbox& sandbox, const Request& request) {
  const project::AppSpec* app = asker_of(sandbox, request);
  if (!app) co_return Reply::error(404, fmt::format("no app {} in this sandbox", request.get("app")));
  // Over TCP its length has to fit into two octets.
  if (request.body.empty() || request.body.size() > kMaxDnsMessage)
    co_return Reply::error(400, fmt::format("the body: allowed: a DNS message of 1 to {} octets", kMaxDnsMessage));
  auto answer = co_await ask_dns(sandbox, sandbox.network_of_app(*app), request.body, request.get("transport") == "tcp");
  if (!answer) co_return Reply::error(504, answer.error().message);
  co_return Reply{200, std::move(*answer), "application/dns-message"};
}

Task<Reply> explain(Sandbox& sandbox, const Request& request) {
  const project::AppSpec* app = asker_of(sandbox, request);
  if (!app) co_return Reply::error(404, fmt::format("no app {} in this sandbox", request.get("app")));
  const std::string name = request.get("name");
  const report::NameWorld world = co_await report::view_names(sandbox, *app, name);
  co_return Reply::json(explanation_json(report::explain_name(name, world)));
}

}  // namespace

void add_dns_routes(ControlServer& server, Sandbox& sandbox) {
  server.route("POST", "/flylocal/v1/dns", [&sandbox](const Request& request) -> Task<Reply> { co_return co_await dns_query(sandbox, request); });
  server.route("GET", "/flylocal/v1/dns/explain", [&sandbox](const Request& request) -> Task<Reply> { co_return co_await explain(sandbox, request); });
  server.stream("GET", "/flylocal/v1/dns/log", [&sandbox](const Request& request, Stream& stream) -> Task<> { co_await stream_queries(sandbox, request, stream); });
}

}  // namespace flylocal::api
