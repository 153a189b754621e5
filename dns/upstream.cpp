#include "dns/upstream.hpp"

#include <sys/random.h>

#include <array>

namespace flylocal::dns {
namespace {

using boost::system::error_code;

// Packets that do not match our question are passed over, but not for ever: so many are an attempt to guess
// the id.
constexpr int kMaxMismatches = 16;

std::uint16_t random_id() {
  std::uint16_t id = 0;
  // getrandom(2): up to 256 octets are never cut short, and before the pool is ready it waits. There is no
  // failure to handle with these arguments.
  (void)::getrandom(&id, sizeof id, 0);
  return id;
}

/// RFC 5452 9.1: id and question are ours; address and port are the connected socket's business.
bool matches(const Response& response, const Query& query, std::uint16_t id) {
  if (response.id != id) return false;
  if (!response.question) {
    // Servers that could not read the query have no question to send back.
    return response.rcode != Rcode::no_error && response.rcode != Rcode::name_error;
  }
  return response.question->type == query.type && response.question->record_class == query.record_class &&
         response.question->name == query.name;
}

UpstreamAnswer judge(const Response& response, std::vector<std::uint8_t> reply) {
  bool answers =
      response.question && (response.rcode == Rcode::no_error || response.rcode == Rcode::name_error);
  if (answers) return {UpstreamAnswer::Kind::usable, std::move(reply)};
  if (response.question) return {UpstreamAnswer::Kind::unwilling, std::move(reply)};
  return {};
}

struct UdpReply {
  bool truncated = false;
  UpstreamAnswer answer;
};

Task<UdpReply> ask_over_udp(const Query& query, asio::ip::udp::endpoint upstream) {
  UdpSocket socket(co_await asio::this_coro::executor);
  error_code error;
  socket.open(upstream.protocol(), error);
  // A connected socket gets a random port of the kernel's choosing, takes packets from this upstream alone,
  // and learns at once when nothing listens there.
  if (!error) socket.connect(upstream, error);
  if (error) co_return UdpReply{};

  std::uint16_t id = random_id();
  socket.send(asio::buffer(write_query(query, id)), 0, error);
  if (error) co_return UdpReply{};

  // Larger than what we allow, for upstreams that send more than they were asked for.
  std::vector<std::uint8_t> reply;
  for (int mismatches = 0; mismatches < kMaxMismatches; ++mismatches) {
    reply.resize(4096);
    auto [failure, size] = co_await socket.async_receive(asio::buffer(reply), as_result);
    if (failure) co_return UdpReply{};
    reply.resize(size);
    auto response = parse_response(reply);
    if (!response || !matches(*response, query, id)) continue;
    if (response->truncated) co_return UdpReply{.truncated = true, .answer = {}};
    co_return UdpReply{.truncated = false, .answer = judge(*response, std::move(reply))};
  }
  co_return UdpReply{};
}

Task<UpstreamAnswer> ask_over_tcp(const Query& query, asio::ip::tcp::endpoint upstream) {
  TcpSocket socket(co_await asio::this_coro::executor);
  auto [connect_failure] = co_await socket.async_connect(upstream, as_result);
  if (connect_failure) co_return UpstreamAnswer{};

  std::uint16_t id = random_id();
  auto message = write_query(query, id);
  std::array<std::uint8_t, 2> length{static_cast<std::uint8_t>(message.size() >> 8),
                                     static_cast<std::uint8_t>(message.size())};
  // RFC 7766 8: length and message in one segment.
  std::array<asio::const_buffer, 2> request{asio::buffer(length), asio::buffer(message)};
  auto [write_failure, written] = co_await asio::async_write(socket, request, as_result);
  if (write_failure) co_return UpstreamAnswer{};

  auto [length_failure, length_size] = co_await asio::async_read(socket, asio::buffer(length), as_result);
  if (length_failure) co_return UpstreamAnswer{};
  std::vector<std::uint8_t> reply(get_u16(length, 0));
  auto [read_failure, size] = co_await asio::async_read(socket, asio::buffer(reply), as_result);
  if (read_failure) co_return UpstreamAnswer{};
  auto response = parse_response(reply);
  if (!response || response->truncated || !matches(*response, query, id)) co_return UpstreamAnswer{};
  co_return judge(*response, std::move(reply));
}

}  // namespace

Task<UpstreamAnswer> ask_upstream(Query query, asio::ip::udp::endpoint upstream, std::function<void()> heard) {
  auto over_udp = co_await ask_over_udp(query, upstream);
  if (!over_udp.truncated) co_return std::move(over_udp.answer);
  heard();
  auto over_tcp = co_await ask_over_tcp(query, {upstream.address(), upstream.port()});
  co_return over_tcp;
}

}  // namespace flylocal::dns
