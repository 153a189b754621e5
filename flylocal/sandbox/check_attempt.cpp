#include "flylocal/sandbox/check_attempt.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cctype>

#include "flylocal/base/unique_fd.hpp"
#include "flylocal/base/utf8.hpp"

namespace flylocal::sandbox {
namespace {

namespace http = boost::beast::http;
using namespace asio::experimental::awaitable_operators;

using namespace std::chrono_literals;

constexpr std::uint32_t kMaxHead = 64 * 1024;
constexpr auto kBodyPatience = 200ms;
// platform facts 10, row 27.
constexpr const char* kUserAgent = "Consul Health Check";

Result<UniqueFd> open_bound(const asio::ip::address_v4& source) {
  UniqueFd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return system_error("socket", errno);
  const asio::ip::tcp::endpoint local(source, 0);
  if (::bind(made.get(), local.data(), static_cast<socklen_t>(local.size())) != 0) return system_error("bind " + source.to_string(), errno);
  return made;
}

CheckOutcome failed(std::string_view step, const boost::system::error_code& error) {
  std::string text = error.message();
  if (!text.empty()) text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return {false, output_text(fmt::format("{}: {}", step, text), kMaxCheckOutput)};
}

CheckOutcome judge(const CheckSpec& check, const asio::ip::tcp::endpoint& target, unsigned status, std::string_view reason, std::string_view body) {
  std::string text = fmt::format("{} {}://{}:{}{}: {} {}", check.request.method,
                                 check.request.scheme == config::HttpScheme::kHttps ? "https" : "http", target.address().to_string(),
                                 target.port(), check.request.path, status, reason);
  const bool passed = status >= 200 && status < 300;
  if (!passed && !body.empty()) text += fmt::format(": {}", body);
  return {passed, output_text(text, kMaxCheckOutput)};
}

/// Sends the request and reads the answer's head. `step` follows what is being done, for whoever gives up.
template <class Stream>
Task<CheckOutcome> ask(Stream& stream, const CheckSpec& check, const asio::ip::tcp::endpoint& target, std::string& step) {
  step = "request";
  const std::string request = check_request(check, target);
  // One that refuses the client may have closed before it read, with its reason still to be read.
  (void)co_await asio::async_write(stream, asio::buffer(request), as_result);
  step = "answer";
  boost::beast::flat_buffer buffer;
  for (;;) {
    http::response_parser<http::empty_body> parser;
    parser.header_limit(kMaxHead);
    parser.skip(true);
    auto [error, size] = co_await http::async_read_header(stream, buffer, parser, as_result);
    if (error) co_return failed("answer", error);
    const unsigned status = parser.get().result_int();
    constexpr unsigned kFirstFinal = 200;
    if (status < kFirstFinal) continue;
    constexpr std::size_t kMaxBody = 512;
    // Why it fails is often in the body, which may come a little later than the head.
    if (buffer.size() == 0 && status >= 300) {
      Timer limit(co_await asio::this_coro::executor, kBodyPatience);
      auto read = co_await (stream.async_read_some(buffer.prepare(kMaxBody), as_result) || limit.async_wait(as_result));
      if (read.index() == 0) buffer.commit(std::get<1>(std::get<0>(read)));
    }
    const auto body = buffer.data();
    co_return judge(check, target, status, parser.get().reason(), {static_cast<const char*>(body.data()), body.size()});
  }
}

Task<CheckOutcome> ask_by_tls(TcpSocket& socket, const CheckSpec& check, const asio::ip::tcp::endpoint& target, std::string& step) {
  step = "TLS handshake";
  asio::ssl::context context(asio::ssl::context::tls_client);
  const std::string name = check.request.tls_server_name.value_or("");
  if (!check.request.tls_skip_verify) context.set_default_verify_paths();
  asio::ssl::stream<TcpSocket&> stream(socket, context);
  if (!name.empty()) SSL_set_tlsext_host_name(stream.native_handle(), name.c_str());
  if (check.request.tls_skip_verify) {
    stream.set_verify_mode(asio::ssl::verify_none);
  } else {
    stream.set_verify_mode(asio::ssl::verify_peer);
    stream.set_verify_callback(asio::ssl::host_name_verification(name.empty() ? target.address().to_string() : name));
  }
  auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, as_result);
  if (error) {
    const long verified = SSL_get_verify_result(stream.native_handle());
    if (!check.request.tls_skip_verify && verified != X509_V_OK)
      co_return CheckOutcome{false, output_text(fmt::format("TLS handshake: {} (tls_skip_verify = true would not look at the certificate)",
                                                            X509_verify_cert_error_string(verified)), kMaxCheckOutput)};
    co_return failed(step, error);
  }
  co_return co_await ask(stream, check, target, step);
}

Task<CheckOutcome> make(TcpSocket& socket, const CheckSpec& check, const asio::ip::tcp::endpoint& target, std::string& step) {
  auto [error] = co_await socket.async_connect(target, as_result);
  if (error) co_return failed(step, error);
  if (check.type == config::CheckType::kTcp) co_return CheckOutcome{true, "connected"};
  if (check.request.scheme == config::HttpScheme::kHttps) co_return co_await ask_by_tls(socket, check, target, step);
  co_return co_await ask(socket, check, target, step);
}

bool is_host(std::string_view name) {
  constexpr std::string_view kHost = "host";
  return std::equal(name.begin(), name.end(), kHost.begin(), kHost.end(), [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

std::string check_request(const CheckSpec& check, const asio::ip::tcp::endpoint& target) {
  std::string host = fmt::format("{}:{}", target.address().to_string(), target.port()), fields;
  bool names_agent = false;
  for (const auto& [name, value] : check.request.headers) {
    if (is_host(name)) {
      host = value;
      continue;
    }
    names_agent |= boost::beast::iequals(name, "user-agent");
    fields += fmt::format("{}: {}\r\n", name, value);
  }
  if (!names_agent) fields += fmt::format("User-Agent: {}\r\n", kUserAgent);
  const bool takes_body = check.request.method == "POST" || check.request.method == "PUT" || check.request.method == "PATCH";
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}{}Connection: close\r\n\r\n", check.request.method,
                     check.request.path.empty() ? "/" : check.request.path, host, fields, takes_body ? "Content-Length: 0\r\n" : "");
}

std::string output_text(std::string_view octets, std::size_t most) {
  std::string text;
  for (const char c : octets.substr(0, most)) {
    const bool is_space = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (!is_space) text += c;
    else if (!text.empty() && text.back() != ' ') text += ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  // What is put for a broken character is longer than it.
  text = to_valid_utf8(text);
  while (text.size() > most) {
    std::size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    text.resize(last);
  }
  return text;
}

Task<CheckOutcome> attempt_check(WorkerThread& thread, asio::ip::address_v4 source, asio::ip::tcp::endpoint target, const CheckSpec& check) {
  auto fd = co_await thread.run([&] { return open_bound(source); });
  if (!fd) co_return CheckOutcome{false, fd.error().message};
  TcpSocket socket(co_await asio::this_coro::executor);
  socket.assign(target.protocol(), fd->release());
  Timer limit(socket.get_executor(), check.timeout);
  std::string step = "connect";
  auto outcome = co_await (make(socket, check, target, step) || limit.async_wait(as_result));
  if (outcome.index() == 1) co_return CheckOutcome{false, fmt::format("{}: nothing within {} ms", step, check.timeout.count())};
  co_return std::move(std::get<0>(outcome));
}

}  // namespace flylocal::sandbox
