#include "flylocal/api/control_server.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <optional>

#include "flylocal/api/unix_address.hpp"

namespace flylocal::api {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::size_t kMaxBodyBytes = 1024 * 1024;
constexpr auto kIdleLimit = 60s;

std::string decode(std::string_view text) {
  auto hex = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      result += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Request parse_target(std::string method, std::string_view target, std::string body) {
  Request request;
  request.method = std::move(method);
  request.body = std::move(body);
  const std::size_t question = target.find('?');
  for (std::string_view part : split(target.substr(0, question), '/')) request.path.push_back(decode(part));
  if (question != std::string_view::npos)
    for (std::string_view pair : split(target.substr(question + 1), '&')) {
      const std::size_t equals = std::min(pair.find('='), pair.size());
      request.query[decode(pair.substr(0, equals))] = decode(pair.substr(std::min(equals + 1, pair.size())));
    }
  return request;
}

struct Route {
  std::string method;
  std::vector<std::string> pattern;
  ControlServer::Handler handler;  // one of the two
  ControlServer::StreamHandler stream;

  bool matches_path(Request& request) const {
    if (pattern.size() != request.path.size()) return false;
    std::map<std::string, std::string> params;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i].front() == '{') params[pattern[i].substr(1, pattern[i].size() - 2)] = request.path[i];
      else if (pattern[i] != request.path[i]) return false;
    }
    request.params = std::move(params);
    return true;
  }
};

class SocketStream final : public Stream {
 public:
  /// `early` is what the client sent behind its request.
  SocketStream(LocalSocket& socket, std::string early, bool upgrade) : socket_(socket), early_(std::move(early)), upgrade_(upgrade) {}
  Task<bool> accept() override {
    co_return co_await write(upgrade_ ? "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: flylocal\r\n\r\n"
                                      : "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n");
  }
  Task<> refuse(Reply reply) override {
    const std::string answer = fmt::format("HTTP/1.1 {} Refused\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                                           reply.status, reply.content_type, reply.body.size(), reply.body);
    co_await write(answer);
  }
  Task<std::string> read() override {
    if (!early_.empty()) co_return std::exchange(early_, {});
    std::string buffer(16 * 1024, '\0');
    auto [error, n] = co_await socket_.async_read_some(asio::buffer(buffer), as_result);
    buffer.resize(error ? 0 : n);
    co_return buffer;
  }
  Task<bool> write(std::string_view bytes) override {
    auto [error, n] = co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), as_result);
    co_return !error;
  }

 private:
  LocalSocket& socket_;
  std::string early_;
  bool upgrade_;
};

}  // namespace

Result<json::object> Request::json_body() const {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return json::object();
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error) return Error{"the request's body is not JSON: " + error.message()};
  if (!value.is_object()) return Error{"the request's body is not a JSON object"};
  return std::move(value.get_object());
}

std::string Request::get(const std::string& name, std::string otherwise) const {
  auto found = query.find(name);
  return found == query.end() ? std::move(otherwise) : found->second;
}

Reply Reply::json(const json::value& value, unsigned status) { return {status, json::serialize(value) + "\n"}; }

Reply Reply::error(unsigned status, const std::string& message) {
  return json(json::object{{"error", message}, {"status", "unknown"}}, status);
}

struct ControlServer::Impl {
  explicit Impl(Executor executor_in) : executor(executor_in), tasks(executor_in) {}

  Task<> accept_loop();
  Task<> serve(LocalSocket socket);
  bool is_ours(LocalSocket& socket);

  Executor executor;
  TaskGroup tasks;
  std::vector<Route> routes;
  std::optional<LocalAcceptor> acceptor;
  std::filesystem::path path;
};

ControlServer::ControlServer(Executor executor) : impl_(std::make_unique<Impl>(executor)) {}
ControlServer::~ControlServer() = default;

void ControlServer::route(std::string method, std::string pattern, Handler handler) {
  Route route{std::move(method), {}, std::move(handler), {}};
  for (std::string_view part : split(pattern, '/')) route.pattern.emplace_back(part);
  impl_->routes.push_back(std::move(route));
}

void ControlServer::stream(std::string method, std::string pattern, StreamHandler handler) {
  Route route{std::move(method), {}, {}, std::move(handler)};
  for (std::string_view part : split(pattern, '/')) route.pattern.emplace_back(part);
  impl_->routes.push_back(std::move(route));
}

Result<> ControlServer::listen(const std::filesystem::path& socket_path) {
  std::error_code ignored;
  std::filesystem::remove(socket_path, ignored);
  auto address = UnixAddress::of(socket_path);
  if (!address) return address.error();
  boost::system::error_code error;
  LocalAcceptor acceptor(impl_->executor);
  acceptor.open(asio::local::stream_protocol(), error);
  // The mode is set by the mask, not afterwards, so that there is no moment at which others could connect.
  const mode_t before = ::umask(0177);
  if (!error) acceptor.bind(address->endpoint, error);
  ::umask(before);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Error{fmt::format("listen on {}: {}", socket_path.string(), error.message())};
  impl_->acceptor.emplace(std::move(acceptor));
  impl_->path = socket_path;
  impl_->tasks.spawn("control socket", impl_->accept_loop());
  return {};
}

Task<> ControlServer::shutdown() {
  if (impl_->acceptor) impl_->acceptor->close();
  std::error_code ignored;
  std::filesystem::remove(impl_->path, ignored);
  impl_->tasks.cancel();
  co_await impl_->tasks.wait();
}

bool ControlServer::Impl::is_ours(LocalSocket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

Task<> ControlServer::Impl::accept_loop() {
  for (;;) {
    auto [error, socket] = co_await acceptor->async_accept(as_result);
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    if (error) {
      spdlog::warn("accept on the control socket: {}", error.message());
      co_await sleep_for(100ms);
      continue;
    }
    LocalSocket connection(std::move(socket));
    if (!acceptor->is_open()) co_return;  // it came in the turn of the shutdown, when all others were told
    if (is_ours(connection)) tasks.spawn("control connection", serve(std::move(connection)));
  }
}

Task<> ControlServer::Impl::serve(LocalSocket socket) {
  using namespace asio::experimental::awaitable_operators;
  beast::flat_buffer buffer;
  for (bool keep_alive = true; keep_alive;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kMaxBodyBytes);
    Timer idle(executor, kIdleLimit);
    auto read = co_await (http::async_read(socket, buffer, parser, as_result) || idle.async_wait(as_result));
    if (read.index() == 1) co_return;
    if (auto error = std::get<0>(std::get<0>(read))) {
      if (error == http::error::body_limit) {
        SocketStream stream(socket, {}, false);
        co_await stream.refuse(Reply::error(413, fmt::format("the body is larger than {} bytes", kMaxBodyBytes)));
        co_return;
      }
      if (error == http::error::end_of_stream || error == asio::error::operation_aborted) co_return;
      spdlog::debug("control request: {}", error.message());
      co_return;
    }
    const auto& head = parser.get();
    keep_alive = head.keep_alive();
    const unsigned version = head.version();
    const bool wants_upgrade = beast::iequals(head[http::field::upgrade], "flylocal");
    Request request = parse_target(std::string(head.method_string()), std::string_view(head.target().data(), head.target().size()), head.body());

    const Route* route = nullptr;
    bool path_known = false;
    for (const Route& candidate : routes) {
      if (!candidate.matches_path(request)) continue;
      path_known = true;
      if (candidate.method != request.method) continue;
      route = &candidate;
      break;
    }
    Reply reply;
    if (!route) {
      reply = path_known ? Reply::error(405, "method not allowed") : Reply::error(404, "no such call");
    } else if (route->stream) {
      SocketStream stream(socket, std::string(static_cast<const char*>(buffer.data().data()), buffer.size()), wants_upgrade);
      co_await route->stream(request, stream);
      co_return;
    } else {
      reply = co_await route->handler(request);
    }
    http::response<http::string_body> response(static_cast<http::status>(reply.status), version, std::move(reply.body));
    response.set(http::field::content_type, reply.content_type);
    response.keep_alive(keep_alive);
    response.prepare_payload();
    auto [error, n] = co_await http::async_write(socket, response, as_result);
    if (error) co_return;
  }
}

}  // namespace flylocal::api
