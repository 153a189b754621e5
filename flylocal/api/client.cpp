#include "flylocal/api/client.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include "flylocal/api/unix_address.hpp"
#include "flylocal/store/state_directory.hpp"

namespace flylocal::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;

constexpr std::chrono::seconds kPromptAnswer{10};

Error reply_error(unsigned status, const std::string& body) {
  boost::system::error_code failed;
  json::value value = json::parse(body, failed);
  if (!failed && value.is_object() && value.get_object().contains("error"))
    return {json::value_to<std::string>(value.at("error"))};
  return {fmt::format("the sandbox answered {}", status)};
}

}  // namespace

struct Client::Impl {
  asio::io_context context;
  asio::local::stream_protocol::socket socket{context};
  beast::flat_buffer buffer;
  std::optional<std::chrono::seconds> time_limit = kPromptAnswer;

  Result<> send(const std::string& method, const std::string& target, std::string body, bool upgrade) {
    http::request<http::string_body> request;
    request.method_string(method);
    request.target(target);
    request.version(11);
    request.set(http::field::host, "flylocal");
    request.set(http::field::content_type, "application/json");
    if (upgrade) {
      request.set(http::field::connection, "upgrade");
      request.set(http::field::upgrade, "flylocal");
    }
    request.body() = std::move(body);
    request.prepare_payload();
    boost::system::error_code error;
    http::write(socket, request, error);
    if (error) return Error{"the sandbox does not answer: " + error.message()};
    return {};
  }

  Result<> read(http::response_parser<http::string_body>& parser) {
    std::optional<boost::system::error_code> ended;
    http::async_read(socket, buffer, parser, [&](boost::system::error_code error, std::size_t) { ended = error; });
    context.restart();
    if (time_limit) context.run_for(*time_limit);
    else context.run();
    if (!ended) {
      socket.cancel();
      context.run();
      return Error{fmt::format("the sandbox did not answer in {} s; is its process suspended? `fg` or `kill -CONT` lets it go on", time_limit->count())};
    }
    if (*ended) return Error{"the sandbox ended while it was asked: " + ended->message()};
    return {};
  }
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(const std::filesystem::path& state_directory) {
  const Error none{"no sandbox is running; start one with `flylocal up` in a directory with a fly.toml"};
  auto address = UnixAddress::of(store::control_socket_path(state_directory));
  if (!address) return none;
  auto impl = std::make_unique<Impl>();
  boost::system::error_code error;
  impl->socket.connect(address->endpoint, error);
  if (error) {
    if (error == asio::error::access_denied) return Error{"the running sandbox belongs to another user"};
    return none;
  }
  return Client(std::move(impl));
}

void Client::wait_without_limit() { impl_->time_limit.reset(); }

Result<std::string> Client::call_raw(const std::string& method, const std::string& target, std::string body) {
  if (auto sent = impl_->send(method, target, std::move(body), false); !sent) return sent.error();
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  if (auto read = impl_->read(parser); !read) return read.error();
  const auto& response = parser.get();
  if (response.result_int() >= 400) return reply_error(response.result_int(), response.body());
  return Result<std::string>(boost::system::in_place_value, response.body());
}

Result<json::value> Client::call(const std::string& method, const std::string& target, const json::value& body) {
  auto text = call_raw(method, target, body.is_null() ? std::string() : json::serialize(body));
  if (!text) return text.error();
  boost::system::error_code error;
  json::value value = json::parse(*text, error);
  if (error) return Error{"the sandbox's answer is not JSON: " + error.message()};
  return Result<json::value>(boost::system::in_place_value, std::move(value));
}

Result<> Client::stream(const std::string& target, const std::function<bool(const std::string&)>& on_line) {
  if (auto sent = impl_->send("GET", target, {}, false); !sent) return sent.error();
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  boost::system::error_code error;
  http::read_header(impl_->socket, impl_->buffer, parser, error);
  if (error) return Error{"the sandbox ended while it was asked: " + error.message()};
  std::string line;
  char chunk[16 * 1024];
  while (!parser.is_done()) {
    parser.get().body().data = chunk;
    parser.get().body().size = sizeof chunk;
    parser.get().body().more = true;
    http::read_some(impl_->socket, impl_->buffer, parser, error);
    if (error == http::error::need_buffer) error = {};
    const std::size_t got = sizeof chunk - parser.get().body().size;
    for (char c : std::string_view(chunk, got)) {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (parser.get().result_int() < 400 && !on_line(line)) return {};
      if (parser.get().result_int() >= 400) return reply_error(parser.get().result_int(), line);
      line.clear();
    }
    if (error) break;
  }
  return {};
}

Result<UniqueFd> Client::upgrade(const std::string& target, const json::value& body) {
  if (auto sent = impl_->send("POST", target, json::serialize(body), true); !sent) return sent.error();
  http::response_parser<http::string_body> parser;
  boost::system::error_code error;
  pollfd answer{impl_->socket.native_handle(), POLLIN, 0};
  if (::poll(&answer, 1, static_cast<int>(std::chrono::milliseconds(kPromptAnswer).count())) == 0) return Error{"the sandbox does not answer"};
  // One byte at a time: what follows the head is not HTTP and must stay in the socket.
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    char c;
    if (asio::read(impl_->socket, asio::buffer(&c, 1), error) != 1) return Error{"the sandbox ended while it was asked"};
    head += c;
  }
  parser.put(asio::buffer(head), error);
  if (parser.get().result_int() == 101) {
    UniqueFd fd(impl_->socket.release());
    return fd;
  }
  beast::flat_buffer rest;
  if (!parser.is_done()) http::read(impl_->socket, rest, parser, error);
  return reply_error(parser.get().result_int(), parser.get().body());
}

Result<UniqueFd> Client::server_pidfd() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(impl_->socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return system_error("find the sandbox's process", errno);
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
  if (!fd) return system_error("open the sandbox's process", errno);
  return fd;
}

std::string url_encode(std::string_view text) {
  std::string result;
  for (unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') result += static_cast<char>(c);
    else result += fmt::format("%{:02X}", c);
  }
  return result;
}

}  // namespace flylocal::api
