#include "flylocal/report/probes.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl.hpp>

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

/// One that has no room for a connection at this moment drops the SYN, and the kernel would ask it again after one second
/// and after three. Whoever is asked five times in two seconds and never has room does not accept.
constexpr auto kTryLimit = 400ms;
constexpr int kTries = 5;
constexpr auto kHelloLimit = 2s;
constexpr auto kDatagramLimit = 500ms;
constexpr int kDatagrams = 3;

template <class Endpoint>
flylocal::Result<UniqueFd> open_bound(const Endpoint& target, int type, const asio::ip::address& source) {
  UniqueFd made(::socket(target.protocol().family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return system_error("socket", errno);
  if (source.is_unspecified()) return made;
  const Endpoint local(source, 0);
  if (::bind(made.get(), local.data(), static_cast<socklen_t>(local.size())) != 0)
    return system_error("bind " + source.to_string(), errno);
  return made;
}

/// A socket of the origin's namespace, bound to its source address.
template <class Endpoint>
Task<flylocal::Result<UniqueFd>> open_socket(const Origin& origin, Endpoint target, int type) {
  if (!origin.network_namespace) co_return open_bound(target, type, origin.source);
  co_return co_await origin.thread->run([&]() -> flylocal::Result<UniqueFd> {
    auto visit = netns::NamespaceVisit::to(*origin.network_namespace);
    if (!visit) return visit.error();
    return open_bound(target, type, origin.source);
  });
}

Task<Reach> try_to_connect(const Origin& origin, asio::ip::tcp::endpoint target, TcpSocket& socket) {
  auto fd = co_await open_socket(origin, target, SOCK_STREAM);
  if (!fd) {
    spdlog::warn("probe of {}: {}", target.address().to_string(), fd.error().message);
    co_return Reach::kUntried;
  }
  socket.assign(target.protocol(), fd->release());
  Timer limit(socket.get_executor(), kTryLimit);
  auto outcome = co_await (socket.async_connect(target, as_result) || limit.async_wait(as_result));
  if (outcome.index() == 1) co_return Reach::kTimedOut;
  co_return std::get<0>(std::get<0>(outcome)) ? Reach::kRefused : Reach::kReachable;
}

/// Connects `socket`, which is opened here.
Task<Reach> connect(const Origin& origin, asio::ip::tcp::endpoint target, TcpSocket& socket) {
  Reach reach = Reach::kTimedOut;
  for (int tries = 0; tries < kTries && reach == Reach::kTimedOut; ++tries) {
    socket = TcpSocket(socket.get_executor());
    reach = co_await try_to_connect(origin, target, socket);
  }
  co_return reach;
}

/// Reads until `understand` has an answer from what came, the other side has ended, or the limit.
template <class Stream, class Understand>
Task<> read_until_understood(Stream& stream, std::string& octets, Understand understand) {
  std::array<char, 4096> part;
  for (;;) {
    auto [failed, size] = co_await stream.async_read_some(asio::buffer(part), as_result);
    if (failed == asio::error::operation_aborted) co_return;  // the time is over, which is no end of what is sent
    octets.append(part.data(), size);
    const bool done = understand(octets, static_cast<bool>(failed));
    if (done || failed) co_return;
  }
}

template <class Stream>
Task<HttpAnswer> exchange(Stream& stream, std::string request, std::chrono::milliseconds time_limit) {
  std::optional<HttpAnswer> answer;
  std::string octets;
  Timer limit(co_await asio::this_coro::executor, time_limit);
  auto talk = [&]() -> Task<> {
    // One that refuses the client may have closed before it read, with its reason still to be read.
    (void)co_await asio::async_write(stream, asio::buffer(request), as_result);
    co_await read_until_understood(stream, octets, [&](std::string_view so_far, bool ended) {
      answer = read_answer(so_far, ended);
      return answer.has_value();
    });
  };
  co_await (talk() || limit.async_wait(as_result));
  if (answer) co_return *answer;
  HttpAnswer silent = octets.empty() ? HttpAnswer{} : read_answer(octets, true).value_or(HttpAnswer{});
  // Its connection is open still, whatever has come by then.
  if (octets.empty() || silent.kind == HttpAnswer::Kind::kClosed) silent.kind = HttpAnswer::Kind::kSilent;
  silent.reach = Reach::kReachable;
  co_return silent;
}

HttpAnswer no_connection(Reach reach) {
  HttpAnswer answer;
  answer.reach = reach;
  return answer;
}

}  // namespace

Task<Reach> knock(const Origin& origin, asio::ip::tcp::endpoint target) {
  TcpSocket socket(co_await asio::this_coro::executor);
  co_return co_await connect(origin, target, socket);
}

Task<std::string> greeting(const Origin& origin, asio::ip::tcp::endpoint target, std::chrono::milliseconds time_limit) {
  TcpSocket socket(co_await asio::this_coro::executor);
  std::string words;
  const Reach reach = co_await connect(origin, target, socket);
  if (reach != Reach::kReachable) co_return words;
  Timer limit(socket.get_executor(), time_limit);
  co_await (read_until_understood(socket, words, [](std::string_view so_far, bool) { return !so_far.empty(); }) || limit.async_wait(as_result));
  co_return words;
}

Task<HttpAnswer> ask_http(const Origin& origin, asio::ip::tcp::endpoint target, std::string prefix, HttpAsk ask, std::chrono::milliseconds limit) {
  TcpSocket socket(co_await asio::this_coro::executor);
  const Reach reach = co_await connect(origin, target, socket);
  if (reach != Reach::kReachable) co_return no_connection(reach);
  co_return co_await exchange(socket, prefix + request_text(ask), limit);
}

Task<HttpAnswer> ask_http2(const Origin& origin, asio::ip::tcp::endpoint target, std::chrono::milliseconds limit) {
  TcpSocket socket(co_await asio::this_coro::executor);
  const Reach reach = co_await connect(origin, target, socket);
  if (reach != Reach::kReachable) co_return no_connection(reach);
  co_return co_await exchange(socket, http2_preface(), limit);
}

Task<HttpsAnswer> ask_https(const Origin& origin, asio::ip::tcp::endpoint target, std::string server_name, HttpAsk ask,
                            std::chrono::milliseconds limit) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.set_default_verify_paths();
  // Verification is noted, not enforced: what an answer says of the check is worth more than a broken handshake.
  context.set_verify_mode(asio::ssl::verify_none);
  asio::ssl::stream<TcpSocket> stream(co_await asio::this_coro::executor, context);
  HttpsAnswer result;
  const Reach reach = co_await connect(origin, target, stream.next_layer());
  result.answer = no_connection(reach);
  if (reach != Reach::kReachable) co_return result;
  if (!server_name.empty()) {
    SSL_set_tlsext_host_name(stream.native_handle(), server_name.c_str());
    SSL_set1_host(stream.native_handle(), server_name.c_str());
  }
  Timer timer(co_await asio::this_coro::executor, limit);
  auto shaken = co_await (stream.async_handshake(asio::ssl::stream_base::client, as_result) || timer.async_wait(as_result));
  if (shaken.index() == 1 || std::get<0>(std::get<0>(shaken))) {
    result.answer.kind = shaken.index() == 1 ? HttpAnswer::Kind::kSilent : HttpAnswer::Kind::kClosed;
    co_return result;
  }
  result.handshake_done = true;
  result.verified = SSL_get_verify_result(stream.native_handle()) == X509_V_OK;
  result.answer = co_await exchange(stream, request_text(ask), limit);
  co_return result;
}

Task<bool> takes_tls(const Origin& origin, asio::ip::tcp::endpoint target) {
  TcpSocket socket(co_await asio::this_coro::executor);
  const Reach reach = co_await connect(origin, target, socket);
  if (reach != Reach::kReachable) co_return false;
  const std::string hello = tls_client_hello();
  std::string octets;
  Timer limit(socket.get_executor(), kHelloLimit);
  auto talk = [&]() -> Task<> {
    (void)co_await asio::async_write(socket, asio::buffer(hello), as_result);
    co_await read_until_understood(socket, octets, [](std::string_view so_far, bool) { return so_far.size() >= 2; });
  };
  co_await (talk() || limit.async_wait(as_result));
  co_return is_tls_handshake(octets);
}

Task<UdpAnswer> ask_udp(const Origin& origin, asio::ip::udp::endpoint target, std::string payload) {
  UdpAnswer answer;
  auto fd = co_await open_socket(origin, target, SOCK_DGRAM);
  if (!fd) {
    spdlog::warn("probe of {}: {}", target.address().to_string(), fd.error().message);
    co_return answer;
  }
  // Not connected: an answer from a wrong address has to come through.
  UdpSocket socket(co_await asio::this_coro::executor, target.protocol(), fd->release());
  std::array<char, 2048> octets;
  for (int i = 0; i < kDatagrams && !answer.source; ++i) {
    auto [unsent, size] = co_await socket.async_send_to(asio::buffer(payload), target, as_result);
    if (unsent) co_return answer;
    answer.sent = true;
    Timer limit(socket.get_executor(), kDatagramLimit);
    asio::ip::udp::endpoint source;
    auto outcome = co_await (socket.async_receive_from(asio::buffer(octets), source, as_result) || limit.async_wait(as_result));
    if (outcome.index() == 0 && !std::get<0>(std::get<0>(outcome))) answer.source = source;
  }
  co_return answer;
}

std::string udp_payload(std::uint16_t port, bool is_dns_server) {
  using namespace std::string_literals;
  constexpr std::uint16_t kDns = 53, kNtp = 123, kStun = 3478;
  // version.bind, class CHAOS: answered without asking anybody else (RFC 4892).
  if (port == kDns || is_dns_server) return "\x66\x6c\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04" "bind\x00\x00\x10\x00\x03"s;
  // A Binding request (RFC 8489 6).
  if (port == kStun) return "\x00\x01\x00\x00\x21\x12\xa4\x42" "flylocalprob"s;
  // Version 3, mode 3 (RFC 5905 7.3).
  if (port == kNtp) return "\x1b"s + std::string(47, '\0');
  return "flylocal\n";
}

}  // namespace flylocal::report
