#include "flylocal/api/control_server.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "flylocal/api/client.hpp"
#include "flylocal/api/unix_address.hpp"
#include "flylocal/store/state_directory.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace flylocal;
using namespace flylocal::api;
using flylocal::tests::TemporaryDirectory;
namespace json = boost::json;

namespace {

/// A server with a route of each kind, on a thread of its own, in a state directory of its own.
class RunningServer {
 public:
  explicit RunningServer(std::filesystem::path directory) : directory_(std::move(directory)), server_(context_.get_executor()) {
    server_.route("GET", "/v1/apps/{app}/machines/{id}", [](const Request& request) -> Task<Reply> {
      json::object answer{{"app", request.params.at("app")}, {"id", request.params.at("id")}, {"signal", request.get("signal", "none")}};
      co_return Reply::json(answer);
    });
    server_.route("POST", "/v1/length", [](const Request& request) -> Task<Reply> {
      co_return Reply::json(json::object{{"length", request.body.size()}});
    });
    server_.route("DELETE", "/v1/length", [](const Request&) -> Task<Reply> { co_return Reply::json("deleted", 202); });
    server_.route("GET", "/v1/missing", [](const Request&) -> Task<Reply> { co_return Reply::error(404, "machine 7 not found"); });
    server_.route("GET", "/v1/text", [](const Request&) -> Task<Reply> { co_return Reply{200, "not JSON", "text/plain"}; });
    server_.route("GET", "/v1/throws", [](const Request&) -> Task<Reply> {
      throw std::runtime_error("expected by the test");
      co_return Reply{};
    });
    server_.stream("GET", "/v1/lines", [](const Request& request, Stream& stream) -> Task<> {
      const bool accepted = co_await stream.accept();
      if (!accepted) co_return;
      const int count = std::stoi(request.get("count", "0"));
      for (int i = 0; i < count; ++i) {
        const std::string line = "line " + std::to_string(i) + "\n";
        const bool written = co_await stream.write(line);
        if (!written) co_return;
      }
    });
    auto refuse = [](const Request&, Stream& stream) -> Task<> { co_await stream.refuse(Reply::error(409, "machine is stopped")); };
    server_.stream("GET", "/v1/refused", refuse);
    server_.stream("POST", "/v1/refused", refuse);
    server_.stream("POST", "/v1/echo", [](const Request& request, Stream& stream) -> Task<> {
      const bool accepted = co_await stream.accept();
      if (!accepted) co_return;
      const std::string greeting = request.body + "|";
      const bool greeted = co_await stream.write(greeting);
      if (!greeted) co_return;
      for (;;) {
        const std::string bytes = co_await stream.read();
        if (bytes.empty()) co_return;
        const bool written = co_await stream.write(bytes);
        if (!written) co_return;
      }
    });
    auto listening = server_.listen(socket_path());
    if (listening.has_error()) FAIL(listening.error().message);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~RunningServer() { stop(); }

  std::filesystem::path socket_path() const { return store::control_socket_path(directory_); }

  /// Shuts the server down; false when it did not end in time.
  bool stop() {
    if (!thread_.joinable()) return true;
    auto ended = asio::co_spawn(context_, [this]() -> Task<> { co_await server_.shutdown(); }, asio::use_future);
    const bool in_time = ended.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    if (!in_time) context_.stop();
    thread_.join();
    return in_time;
  }

 private:
  std::filesystem::path directory_;
  asio::io_context context_;
  ControlServer server_;
  std::thread thread_;
};

Client connect(const std::filesystem::path& directory) {
  auto client = Client::connect(directory);
  if (client.has_error()) FAIL(client.error().message);
  return std::move(*client);
}

/// A connection below HTTP.
class RawConnection {
 public:
  explicit RawConnection(const RunningServer& server) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_);
    auto address = UnixAddress::of(server.socket_path());
    REQUIRE(address.has_value());
    REQUIRE(::connect(fd_.get(), address->endpoint.data(), static_cast<socklen_t>(address->endpoint.size())) == 0);
    const timeval limit{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  /// Less may be taken when the server closes meanwhile.
  void send(std::string_view bytes) { REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0); }
  void end_input() { ::shutdown(fd_.get(), SHUT_WR); }
  /// Reads until `part` came, the end, or the time limit; gives all that came.
  std::string read_until(std::string_view part) {
    while (received_.find(part) == std::string::npos) {
      char bytes[4096];
      const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
      if (n <= 0) break;
      received_.append(bytes, static_cast<std::size_t>(n));
    }
    return received_;
  }
  std::string read_all() { return read_until("\x01 nobody sends this"); }

 private:
  UniqueFd fd_;
  std::string received_;
};

std::string read_some(int fd) {
  pollfd ready{fd, POLLIN, 0};
  if (::poll(&ready, 1, 10'000) != 1) return "(nothing came)";
  char bytes[4096];
  const ssize_t n = ::read(fd, bytes, sizeof bytes);
  return {bytes, n > 0 ? static_cast<std::size_t>(n) : 0};
}

}  // namespace

TEST_CASE("a call reaches its route, with the names in its path and its query decoded") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  Client client = connect(directory.path());
  const std::string app = "a b/c%\xc3\xbc?&=+#";
  const auto answer = client.call("GET", "/v1/apps/" + url_encode(app) + "/machines/3d8d?signal=" + url_encode("SIG&=+ x") + "&other");
  REQUIRE(answer.has_value());
  CHECK(answer->at("app") == app.c_str());
  CHECK(answer->at("id") == "3d8d");
  CHECK(answer->at("signal") == "SIG&=+ x");
}

TEST_CASE("one connection serves one call after another, errors included") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  Client client = connect(directory.path());
  for (int i = 0; i < 50; ++i) {
    const auto answer = client.call("POST", "/v1/length", json::object{{"text", std::string(static_cast<std::size_t>(i), 'x')}});
    REQUIRE(answer.has_value());
    CHECK(answer->at("length") == 11 + i);
    CHECK(client.call("GET", "/v1/missing").has_error());
  }
}

TEST_CASE("the route is chosen by method and path; what is not there is 404, the wrong method 405") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  struct Case {
    const char* method;
    const char* target;
    const char* status;
    const char* body;  ///< part of it
  };
  const Case cases[] = {
      {"DELETE", "/v1/length", "202", "deleted"},
      {"GET", "/v1/apps/web/machines/1", "200", R"("app":"web")"},
      {"GET", "//v1/apps/web/machines/1/", "200", R"("app":"web")"},
      {"GET", "/v1/length", "405", R"({"error":"method not allowed","status":"unknown"})"},
      {"PUT", "/v1/apps/web/machines/1", "405", R"("error")"},
      {"GET", "/v1/nothing", "404", R"({"error":"no such call","status":"unknown"})"},
      {"GET", "/", "404", R"("error")"},
      {"GET", "/v1/apps/web/machines", "404", R"("error")"},
      {"GET", "/v1/apps/web/machines/1/more", "404", R"("error")"},
      {"GET", "/v1/missing", "404", R"({"error":"machine 7 not found","status":"unknown"})"},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target);
    RawConnection connection(server);
    connection.send(std::string(c.method) + " " + c.target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string answer = connection.read_all();
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 " + std::string(c.status) + " "));
    CHECK_THAT(answer, Catch::Contains("\r\nContent-Type: application/json\r\n"));
    CHECK_THAT(answer, Catch::Contains(c.body));
  }
}

TEST_CASE("the client gives the server's own message as its error") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  Client client = connect(directory.path());
  CHECK(client.call("GET", "/v1/missing").error().message == "machine 7 not found");
  CHECK(client.call_raw("GET", "/v1/nothing", "").error().message == "no such call");
  CHECK(client.call_raw("GET", "/v1/text", "").value() == "not JSON");
  CHECK_THAT(client.call("GET", "/v1/text").error().message, Catch::Contains("not JSON"));
}

TEST_CASE("a request's body is a JSON object or nothing") {
  struct Case {
    const char* body;
    const char* error;  ///< null: it is fine
  };
  const Case cases[] = {
      {"", nullptr}, {" \r\n", nullptr}, {"{}", nullptr}, {R"({"a": 1})", nullptr},
      {"[]", "not a JSON object"}, {"3", "not a JSON object"}, {"null", "not a JSON object"}, {"{", "not JSON"}, {"{} x", "not JSON"},
  };
  for (const Case& c : cases) {
    INFO(c.body);
    Request request;
    request.body = c.body;
    const auto object = request.json_body();
    REQUIRE(object.has_value() == (c.error == nullptr));
    if (c.error) CHECK_THAT(object.error().message, Catch::Contains(c.error));
  }
}

TEST_CASE("a body of 1 MiB is taken; a larger one is answered with 413, and the server goes on") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  const std::string mebibyte(1024 * 1024, ' ');
  {
    Client client = connect(directory.path());
    CHECK(client.call_raw("POST", "/v1/length", mebibyte).value() == "{\"length\":1048576}\n");
  }
  {
    Client client = connect(directory.path());
    CHECK(client.call_raw("POST", "/v1/length", mebibyte + " ").has_error());
  }
  {
    RawConnection connection(server);
    connection.send("POST /v1/length HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
    const std::string answer = connection.read_until("}");
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 413 "));
    CHECK_THAT(answer, Catch::Contains("\"error\""));
  }
  CHECK(connect(directory.path()).call("POST", "/v1/length").has_value());
}

TEST_CASE("what is no request costs its own connection only") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  for (const std::string& bytes :
       {std::string("nonsense\r\n\r\n"), std::string("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), std::string(100'000, 'a'), std::string("\0\0\0", 3)}) {
    RawConnection connection(server);
    connection.send(bytes);
    connection.end_input();
    const std::string answer = connection.read_all();
    CHECK((answer.empty() || answer.starts_with("HTTP/1.1 4")));
  }
  RawConnection cut_off(server);
  cut_off.send("GET /v1/text HT");
  CHECK(connect(directory.path()).call_raw("GET", "/v1/text", "").has_value());
}

TEST_CASE("a handler's exception costs its own connection only") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  CHECK(connect(directory.path()).call("GET", "/v1/throws").has_error());
  CHECK(connect(directory.path()).call_raw("GET", "/v1/text", "").has_value());
}

TEST_CASE("a streamed answer comes line by line until its end") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  for (const int count : {0, 1, 1000}) {
    std::vector<std::string> lines;
    REQUIRE(connect(directory.path()).stream("/v1/lines?count=" + std::to_string(count), [&](const std::string& line) {
      lines.push_back(line);
      return true;
    }).has_value());
    REQUIRE(lines.size() == static_cast<std::size_t>(count));
    if (count > 0) CHECK(lines.back() == "line " + std::to_string(count - 1));
  }
}

TEST_CASE("a reader may leave a stream early") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  int seen = 0;
  REQUIRE(connect(directory.path()).stream("/v1/lines?count=1000000", [&](const std::string&) { return ++seen < 3; }).has_value());
  CHECK(seen == 3);
  CHECK(server.stop());
}

TEST_CASE("a stream that is refused is an error with the server's message") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  const auto streamed = connect(directory.path()).stream("/v1/refused", [](const std::string&) { return true; });
  REQUIRE(streamed.has_error());
  CHECK(streamed.error().message == "machine is stopped");
  const auto upgraded = connect(directory.path()).upgrade("/v1/refused", json::object{});
  REQUIRE(upgraded.has_error());
  CHECK(upgraded.error().message == "machine is stopped");
  CHECK(connect(directory.path()).upgrade("/v1/nothing", json::object{}).error().message == "no such call");
}

TEST_CASE("an upgraded connection carries the handler's own octets both ways") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  auto fd = connect(directory.path()).upgrade("/v1/echo", json::object{{"tty", true}});
  REQUIRE(fd.has_value());
  CHECK(read_some(fd->get()) == R"({"tty":true}|)");
  const std::string octets("\0\xff\r\n\r\nHTTP/1.1", 14);
  REQUIRE(::write(fd->get(), octets.data(), octets.size()) == static_cast<ssize_t>(octets.size()));
  CHECK(read_some(fd->get()) == octets);
  ::shutdown(fd->get(), SHUT_WR);
  CHECK(read_some(fd->get()).empty());
}

TEST_CASE("what a client sends right behind its upgrade is not lost") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  RawConnection connection(server);
  connection.send("POST /v1/echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: flylocal\r\nContent-Length: 2\r\n\r\n{}early");
  const std::string answer = connection.read_until("early");
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 101 "));
  CHECK_THAT(answer, Catch::EndsWith("\r\n\r\n{}|early"));
}

TEST_CASE("only the owner may use the socket") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  struct stat status {};
  REQUIRE(::stat(server.socket_path().c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(status.st_uid == ::geteuid());
}

TEST_CASE("shutdown ends idle connections and open streams, and removes the socket") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  Client idle = connect(directory.path());
  REQUIRE(idle.call_raw("GET", "/v1/text", "").has_value());
  auto stream = connect(directory.path()).upgrade("/v1/echo", json::object{});
  REQUIRE(stream.has_value());
  CHECK(read_some(stream->get()) == "{}|");
  CHECK(server.stop());
  CHECK(read_some(stream->get()).empty());
  CHECK_FALSE(std::filesystem::exists(server.socket_path()));
  const auto late = Client::connect(directory.path());
  REQUIRE(late.has_error());
  CHECK_THAT(late.error().message, Catch::Contains("no sandbox is running"));
}

TEST_CASE("shutdown does not wait for a connection that came at the same moment") {
  for (int i = 0; i < 300; ++i) {
    const TemporaryDirectory directory;
    RunningServer server(directory.path());
    RawConnection silent(server);
    REQUIRE(server.stop());
  }
}

TEST_CASE("a socket that a dead owner left is replaced, and before that it means that nothing runs") {
  const TemporaryDirectory directory;
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = UnixAddress::of(store::control_socket_path(directory.path()));
    REQUIRE(address.has_value());
    REQUIRE(::bind(dead.get(), address->endpoint.data(), static_cast<socklen_t>(address->endpoint.size())) == 0);
  }
  REQUIRE(std::filesystem::exists(store::control_socket_path(directory.path())));
  const auto nobody = Client::connect(directory.path());
  REQUIRE(nobody.has_error());
  CHECK_THAT(nobody.error().message, Catch::Contains("no sandbox is running"));
  RunningServer server(directory.path());
  CHECK(connect(directory.path()).call_raw("GET", "/v1/text", "").has_value());
}

TEST_CASE("a state directory with a path longer than a socket's address works as any other") {
  const TemporaryDirectory directory;
  const auto deep = directory.path() / std::string(100, 'a') / std::string(100, 'b');
  REQUIRE(deep.string().size() > sizeof(sockaddr_un::sun_path));
  std::filesystem::create_directories(deep);
  RunningServer server(deep);
  CHECK(std::filesystem::exists(deep / "control.sock"));
  CHECK(connect(deep).call_raw("GET", "/v1/text", "").value() == "not JSON");
  CHECK(server.stop());
  CHECK_FALSE(std::filesystem::exists(deep / "control.sock"));
}

TEST_CASE("a client holds the server's process, to see its end") {
  const TemporaryDirectory directory;
  RunningServer server(directory.path());
  const auto process = connect(directory.path()).server_pidfd();
  REQUIRE(process.has_value());
  pollfd ended{process->get(), POLLIN, 0};
  CHECK(::poll(&ended, 1, 0) == 0);  // this very process, which is still there
}

TEST_CASE("a directory that does not exist is an error that names it") {
  const TemporaryDirectory directory;
  asio::io_context context;
  ControlServer server(context.get_executor());
  const auto listening = server.listen(directory.path() / "missing" / "control.sock");
  REQUIRE(listening.has_error());
  CHECK_THAT(listening.error().message, Catch::Contains((directory.path() / "missing").string()));
  CHECK_THAT(Client::connect(directory.path() / "missing").error().message, Catch::Contains("no sandbox is running"));
}

TEST_CASE("url_encode leaves what is unreserved and nothing else") {
  CHECK(url_encode("aZ09-._~") == "aZ09-._~");
  CHECK(url_encode("a/b c?d=e&f#g%+\xc3\xa9") == "a%2Fb%20c%3Fd%3De%26f%23g%25%2B%C3%A9");
}
