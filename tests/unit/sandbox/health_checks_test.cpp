#include "flylocal/sandbox/health_checks.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace flylocal;
using namespace flylocal::sandbox;
using namespace std::chrono_literals;

namespace {

const auto kEarly = std::chrono::system_clock::time_point(1000s);
const auto kLater = std::chrono::system_clock::time_point(2000s);

CheckSpec http_check() {
  CheckSpec check;
  check.name = "alive";
  check.type = config::CheckType::kHttp;
  check.port = 8080;
  check.interval = 15s;
  check.timeout = 2s;
  check.grace_period = 5s;
  return check;
}

/// A server on loopback that answers each of its connections with the next of these texts, and keeps what it was asked.
class Server {
 public:
  explicit Server(std::vector<std::string> answers) : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
    thread_ = std::thread([this, answers = std::move(answers)] {
      for (const std::string& answer : answers) {
        asio::ip::tcp::socket client(context_);
        acceptor_.accept(client);
        boost::system::error_code ended;
        asio::read_until(client, asio::dynamic_buffer(asked_), "\r\n\r\n", ended);
        asio::write(client, asio::buffer(answer), ended);
        // Silent until the client has had enough.
        char rest;
        if (answer.empty()) client.read_some(asio::buffer(&rest, 1), ended);
      }
    });
  }
  ~Server() { end(); }
  Server(const Server&) = delete;
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  const std::string& asked() {
    end();
    return asked_;
  }

 private:
  void end() {
    if (thread_.joinable()) thread_.join();
  }
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::string asked_;
  std::thread thread_;
};

CheckOutcome outcome_of(std::uint16_t port, CheckSpec check) {
  auto thread = WorkerThread::start("test", []() -> Result<> { return {}; });
  REQUIRE(thread.has_value());
  asio::io_context context;
  check.port = port;
  auto made = asio::co_spawn(context,
                             attempt_check(**thread, asio::ip::address_v4::loopback(), {asio::ip::address_v4::loopback(), port}, check),
                             asio::use_future);
  context.run();
  return made.get();
}

CheckOutcome outcome_of_answer(const std::string& answer, const CheckSpec& check = http_check()) {
  Server server({answer});
  return outcome_of(server.port(), check);
}

std::uint16_t closed_port() {
  asio::io_context context;
  return asio::ip::tcp::acceptor(context, {asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
}

}  // namespace

TEST_CASE("a group's checks have the platform's names, and its defaults") {
  config::GroupConfig group;
  config::Service& service = group.services.emplace_back();
  service.internal_port = 8080;
  service.checks.resize(2);
  service.checks[0].type = config::CheckType::kHttp;
  service.checks[1].timing = {30s, 5s, 10s};
  config::TopLevelCheck& top = group.checks.emplace_back();
  top.name = "alive";
  top.port = 9000;
  const auto checks = checks_of(group);
  REQUIRE(checks.size() == 3);
  CHECK(checks[0].name == "servicecheck-00-http-8080");
  CHECK(checks[0].of_service);
  CHECK(checks[0].interval == 15s);
  CHECK(checks[0].timeout == 2s);
  CHECK(checks[0].grace_period == 1s);
  CHECK(checks[1].name == "servicecheck-01-tcp-8080");
  CHECK(checks[1].interval == 30s);
  CHECK(checks[1].timeout == 5s);
  CHECK(checks[1].grace_period == 10s);
  CHECK(checks[2].name == "alive");
  CHECK(checks[2].port == 9000);
  CHECK_FALSE(checks[2].of_service);
}

TEST_CASE("a check is critical until its first success, and its time is that of the last change") {
  CheckRecord record(kEarly);
  CHECK(record.status() == CheckStatus::kCritical);
  CHECK(record.output() == "the machine hasn't started");
  CHECK(record.note({false, "connect: refused"}, false, kLater) == CheckStatus::kCritical);
  CHECK(record.updated_at() == kEarly);
  CHECK(record.output() == "connect: refused");
  CHECK(record.note({true, "connected"}, false, kLater) == CheckStatus::kPassing);
  CHECK(record.updated_at() == kLater);
  CHECK_FALSE(record.note({true, "connected again"}, false, kLater + 1s));
  CHECK(record.updated_at() == kLater);
  CHECK(record.output() == "connected again");
  CHECK(record.note({false, "refused"}, false, kLater + 2s) == CheckStatus::kCritical);
  CHECK(record.updated_at() == kLater + 2s);
  CHECK_FALSE(record.note({false, "refused"}, false, kLater + 3s));
}

TEST_CASE("in the grace period a success counts and a failure does not") {
  CheckRecord record(kEarly);
  CHECK_FALSE(record.note({false, "refused"}, true, kLater));
  CHECK(record.output() == "refused");
  CHECK(record.note({true, "connected"}, true, kLater) == CheckStatus::kPassing);
  CHECK_FALSE(record.note({false, "refused"}, true, kLater + 1s));
  CHECK(record.status() == CheckStatus::kPassing);
  CHECK(record.note({false, "refused"}, false, kLater + 2s) == CheckStatus::kCritical);
}

TEST_CASE("what was known is forgotten with the run") {
  CheckRecord record(kEarly);
  record.note({true, "connected"}, false, kEarly);
  record.forget(kLater);
  CHECK(record.status() == CheckStatus::kCritical);
  CHECK(record.output() == "the machine hasn't started");
  CHECK(record.updated_at() == kLater);
  CHECK_FALSE(record.has_passed());
  CHECK(record.note({true, "connected"}, false, kLater) == CheckStatus::kPassing);
}

TEST_CASE("a check is made at its interval, and more often until it has passed for the first time") {
  CheckSpec check = http_check();
  CHECK(pause_between_attempts(check, 0ms, false) == 100ms);
  CHECK(pause_between_attempts(check, 100ms, true) == 15s);
  CHECK(pause_between_attempts(check, 4s, false) == 2s);
  CHECK(pause_between_attempts(check, 60s, false) == 15s);
  check.interval = 100ms;
  CHECK(pause_between_attempts(check, 1s, false) == 100ms);
}

TEST_CASE("the request of a check") {
  CheckSpec check = http_check();
  const asio::ip::tcp::endpoint target(asio::ip::make_address_v4("172.19.0.2"), 8080);
  CHECK(check_request(check, target) ==
        "GET / HTTP/1.1\r\nHost: 172.19.0.2:8080\r\nUser-Agent: Consul Health Check\r\nConnection: close\r\n\r\n");
  check.request.method = "POST";
  check.request.path = "/alive?deep=1";
  check.request.headers = {{"HOST", "shop.example"}, {"User-agent", "me"}, {"X-A", "1"}};
  CHECK(check_request(check, target) ==
        "POST /alive?deep=1 HTTP/1.1\r\nHost: shop.example\r\nUser-agent: me\r\nX-A: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST_CASE("output is one bounded line of text") {
  CHECK(output_text("two\r\n\tlines\n", 100) == "two lines");
  CHECK(output_text(std::string(1000, 'a'), 100).size() == 100);
  CHECK(output_text("\xff\xfe", 100) == "\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(output_text(std::string(100, '\xff'), 100).size() <= 100);
}

TEST_CASE("a tcp check passes when it connects") {
  Server server({std::string("ignored")});
  CheckSpec check = http_check();
  check.type = config::CheckType::kTcp;
  const auto connected = outcome_of(server.port(), check);
  CHECK(connected.passed);
  CHECK(connected.output == "connected");
  const auto refused = outcome_of(closed_port(), check);
  CHECK_FALSE(refused.passed);
  CHECK(refused.output == "connect: connection refused");
}

TEST_CASE("an http check passes with 2xx, and follows no redirect") {
  const auto status = [](const std::string& line) { return outcome_of_answer("HTTP/1.1 " + line + "\r\nContent-Length: 0\r\nLocation: /\r\n\r\n"); };
  CHECK(status("200 OK").passed);
  CHECK(status("204 No Content").passed);
  CHECK(status("299 Odd").passed);
  CHECK_FALSE(status("301 Moved").passed);
  CHECK_FALSE(status("404 Not Found").passed);
  CHECK_FALSE(status("500 Broken").passed);
  CHECK(outcome_of_answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").passed);
}

TEST_CASE("a failed http check says what was answered") {
  const auto failed = outcome_of_answer("HTTP/1.1 503 Not Yet\r\nContent-Length: 12\r\n\r\nno\ndatabase!");
  CHECK_FALSE(failed.passed);
  CHECK(failed.output.starts_with("GET http://127.0.0.1:"));
  CHECK(failed.output.ends_with("/: 503 Not Yet: no database!"));
  CHECK(outcome_of_answer("HTTP/1.1 500 Long\r\n\r\n" + std::string(5000, 'x')).output.size() <= kMaxCheckOutput);
  CHECK_FALSE(outcome_of_answer("SSH-2.0-OpenSSH\r\n").passed);
}

TEST_CASE("a server that says nothing fails its check in time") {
  CheckSpec check = http_check();
  check.timeout = 50ms;
  const auto silent = outcome_of_answer("", check);
  CHECK_FALSE(silent.passed);
  CHECK(silent.output == "answer: nothing within 50 ms");
}
