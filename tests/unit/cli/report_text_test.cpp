#include "flylocal/cli/report_text.hpp"

#include "flylocal/report/explanation.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>

#include "flylocal/base/utf8.hpp"

using namespace flylocal::report;
using flylocal::cli::change_text;
using flylocal::cli::waiting_text;
using flylocal::cli::report_text;
using namespace std::chrono_literals;

namespace {

// Whether there are colours is decided once; the tests are about text without them, on a terminal, too.
[[maybe_unused]] const int kWithoutColours = ::setenv("NO_COLOR", "1", 1);

MachineReport hello() {
  MachineReport machine;
  machine.app = "hello";
  machine.process_group = "app";
  machine.machine = "3d8d413b29d089";
  machine.region = "iad";
  machine.state = "started";
  machine.program = "gunicorn";
  machine.listened_after = 310ms;
  machine.grace_period = 10s;
  return machine;
}

Result ok(Path path, std::string target) {
  return {path, 8080, std::move(target), true, Reach::kReachable, Severity::kOk, "ok", "gunicorn listens on [::]:8080", {}, ""};
}

Result loopback(Path path, std::string target) {
  return {path, 8080, std::move(target), true, Reach::kRefused, Severity::kProblem, "loopback-only", "gunicorn listens on 127.0.0.1:8080 only",
          {"127.0.0.1:8080, gunicorn (pid 12)"}, "gunicorn --bind [::]:8080 app:app"};
}

std::string text_of(MachineReport machine, std::vector<Result> results) {
  machine.results = std::move(results);
  Report report;
  report.machines.push_back(std::move(machine));
  return report_text(report);
}

std::size_t times(const std::string& text, std::string_view part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++number;
  return number;
}

}  // namespace

/// The line that tells what happens there.
std::string on_fly(std::string_view code, const std::string& port) {
  std::string text(flylocal::report::explain(code)->on_fly);
  if (const std::size_t at = text.find(":PORT"); at != std::string::npos) text.replace(at + 1, 4, port);
  return "           on Fly.io: " + text + "\n";
}

TEST_CASE("a good machine has a heading and a line for each path") {
  CHECK(text_of(hello(), {ok(Path::kProxy, "172.19.0.2:8080"), ok(Path::k6pn, "[fdaa:0:1:a7b:1::2]:8080"), ok(Path::kCheck, "GET /health")}) ==
        "hello  machine 3d8d413b29d089 (app, iad)  gunicorn, listened after 0.31 s (grace period 10 s)\n"
        "  OK       Fly Proxy  172.19.0.2:8080           reachable\n"
        "  OK       6PN        [fdaa:0:1:a7b:1::2]:8080  reachable\n"
        "  OK       check      GET /health               passes\n"
        "\n"
        "no problems");
}

TEST_CASE("what is wrong on several paths of a port is told once, with its evidence and its fix") {
  const std::string text =
      text_of(hello(), {loopback(Path::kProxy, "172.19.0.2:8080"), ok(Path::kDns, "db.internal"), loopback(Path::k6pn, "[fdaa::2]:8080")});
  CHECK(text ==
        "hello  machine 3d8d413b29d089 (app, iad)  gunicorn, listened after 0.31 s (grace period 10 s)\n"
        "  PROBLEM  Fly Proxy  172.19.0.2:8080  refused  [loopback-only]\n"
        "  PROBLEM  6PN        [fdaa::2]:8080   refused  [loopback-only]\n"
        "           gunicorn listens on 127.0.0.1:8080 only\n"
        "             127.0.0.1:8080, gunicorn (pid 12)\n" +
        on_fly("loopback-only", "8080") +
        "           fix: gunicorn --bind [::]:8080 app:app\n"
        "  OK       DNS        db.internal      answered\n"
        "\n"
        "1 problem; more on it: flylocal explain loopback-only");
}

TEST_CASE("another port, another code or another message is another matter") {
  Result first = loopback(Path::kProxy, "172.19.0.2:8080"), second = loopback(Path::k6pn, "[fdaa::2]:8080");
  CHECK(times(text_of(hello(), {first, second}), "fix:") == 1);
  second.port = 9090;
  CHECK(times(text_of(hello(), {first, second}), "fix:") == 2);
  second = first;
  second.code = "refused";
  CHECK(times(text_of(hello(), {first, second}), "fix:") == 2);
  second = first;
  second.message = "python listens on [::1]:8080 only";
  CHECK(times(text_of(hello(), {first, second}), "fix:") == 2);

  // And each machine is looked at for itself.
  Report report;
  for (int i = 0; i < 2; ++i) {
    report.machines.push_back(hello());
    report.machines.back().results = {first};
  }
  CHECK(times(report_text(report), "fix:") == 2);
  CHECK_THAT(report_text(report), Catch::EndsWith("2 problems; more on it: flylocal explain loopback-only"));
}

TEST_CASE("evidence and fixes that differ within one matter are all told") {
  Result first = loopback(Path::kProxy, "172.19.0.2:8080"), second = loopback(Path::k6pn, "[fdaa::2]:8080");
  second.evidence.push_back("[::1]:8080, gunicorn (pid 12)");
  second.fix = "listen on\n  [::]:8080\n";
  CHECK_THAT(text_of(hello(), {first, second}), Catch::Contains("             127.0.0.1:8080, gunicorn (pid 12)\n"
                                                                "             [::1]:8080, gunicorn (pid 12)\n" + on_fly("loopback-only", "8080") +
                                                                "           fix: gunicorn --bind [::]:8080 app:app\n"
                                                                "           fix: listen on\n"
                                                                "                  [::]:8080\n"));
}

TEST_CASE("a note is one line below its path, and what is not required is said not to be") {
  Result note{Path::k6pn, 8080, "[fdaa::2]:8080", false, Reach::kRefused, Severity::kNote, "ipv4-only", "listens on 0.0.0.0 only",
              {"evidence"}, "a fix"};
  CHECK_THAT(text_of(hello(), {note}), Catch::EndsWith("  NOTE     6PN        [fdaa::2]:8080  refused, not required  [ipv4-only]\n"
                                                       "           listens on 0.0.0.0 only\n"
                                                       "\n"
                                                       "no problems, 1 note; more on it: flylocal explain ipv4-only"));
}

TEST_CASE("the last line counts, and names the worst code") {
  Result warning{Path::kDns, 0, "redis.internal", true, Reach::kReachable, Severity::kWarning, "asks-for-a", "asks for A only", {}, "family: 6"};
  Result pending{Path::kProxy, 80, "172.19.0.2:80", true, Reach::kUntried, Severity::kPending, "nothing-listening", "no TCP port yet", {}, ""};
  CHECK_THAT(text_of(hello(), {warning}), Catch::EndsWith("\n\nno problems, 1 warning; more on it: flylocal explain asks-for-a"));
  const std::string text = text_of(hello(), {warning, pending});
  CHECK_THAT(text, Catch::Contains("  WARN     DNS        redis.internal  answered  [asks-for-a]\n"));
  CHECK_THAT(text, Catch::Contains("  WAIT     Fly Proxy  172.19.0.2:80   not yet  [nothing-listening]\n"));
  CHECK_THAT(text, Catch::EndsWith("\n\n1 pending, 1 warning; more on it: flylocal explain nothing-listening"));
  CHECK_THAT(text_of(hello(), {warning, pending, loopback(Path::kProxy, "x")}),
             Catch::EndsWith("\n\n1 problem, 1 pending, 1 warning; more on it: flylocal explain loopback-only"));
  CHECK(report_text({}) == "no machines");
}

TEST_CASE("the heading says what is known of the machine") {
  MachineReport machine = hello();
  machine.grace_period = 0s;
  machine.listened_after = 4ms;
  CHECK_THAT(text_of(machine, {}), Catch::StartsWith("hello  machine 3d8d413b29d089 (app, iad)  gunicorn, listened after 4 ms\n"));
  machine.listened_after = 61500ms;
  machine.program.clear();
  CHECK_THAT(text_of(machine, {}), Catch::StartsWith("hello  machine 3d8d413b29d089 (app, iad)  listened after 61.50 s\n"));
  machine.listened_after.reset();
  CHECK_THAT(text_of(machine, {}), Catch::StartsWith("hello  machine 3d8d413b29d089 (app, iad)\n"));
  machine.state = "stopped";
  CHECK_THAT(text_of(machine, {}), Catch::StartsWith("hello  machine 3d8d413b29d089 (app, iad)  stopped\n"));
}

TEST_CASE("outcomes come in the words of their path") {
  auto outcome = [](Path path, Reach reach, Severity severity) {
    const std::string text = text_of(hello(), {Result{path, 0, "T", true, reach, severity, "ok", "", {}, ""}});
    const std::string line = text.substr(text.find('\n') + 1);
    const std::size_t begin = line.find("T  ") + 3;
    return line.substr(begin, line.find('\n') - begin);
  };
  CHECK(outcome(Path::kCheck, Reach::kReachable, Severity::kProblem) == "fails");
  CHECK(outcome(Path::kCheck, Reach::kReachable, Severity::kWarning) == "passes");
  CHECK(outcome(Path::kCheck, Reach::kTimedOut, Severity::kProblem) == "timed out");
  CHECK(outcome(Path::kDns, Reach::kTimedOut, Severity::kProblem) == "no answer");
  CHECK(outcome(Path::kDns, Reach::kUntried, Severity::kOk) == "asked");
  CHECK(outcome(Path::kUdp, Reach::kUntried, Severity::kOk) == "not tried");
  CHECK(outcome(Path::kPublished, Reach::kReachable, Severity::kProblem) == "reachable");
}

TEST_CASE("what programs say cannot steer the terminal, and is UTF-8") {
  const std::string nasty = "\x1b[2Jclear \x1b]0;title\a bell\r return \xc2\x9b" "1m \xfc gr\xc3\xbc\xc3\x9f \x1b\xc3\x9f";
  MachineReport machine = hello();
  machine.app = machine.program = machine.state = machine.region = nasty;
  Result result = loopback(Path::kProxy, nasty);
  result.code = result.message = result.fix = nasty;
  result.evidence = {nasty, "two\nlines"};
  const std::string text = text_of(machine, {result}) + "\n" + change_text(machine, &result, &result);
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    REQUIRE((octet == '\n' || (octet >= 0x20 && octet != 0x7f)));
  }
  CHECK(flylocal::to_valid_utf8(text) == text);
  CHECK(text.find("\xc2\x9b") == std::string::npos);
  CHECK_THAT(text, Catch::Contains("clear  bell return 1m \xef\xbf\xbd gr\xc3\xbc\xc3\x9f"));
  CHECK_THAT(text, Catch::Contains("\n             two\n             lines\n"));
}

TEST_CASE("a message in several lines cannot look like lines of the report") {
  Result result = loopback(Path::kProxy, "172.19.0.2:8080");
  result.message = "first\n  OK       Fly Proxy";
  result.target = "a\nb";
  const std::string text = text_of(hello(), {result});
  CHECK(times(text, "\n  OK ") == 0);
  CHECK_THAT(text, Catch::Contains("  PROBLEM  Fly Proxy  a b  refused"));
}

TEST_CASE("columns stand below each other where targets have characters of several octets") {
  std::istringstream lines(text_of(hello(), {ok(Path::kProxy, "\xc3\xbc\xc3\xbc\xc3\xbc"), ok(Path::k6pn, "abcdef")}));
  std::vector<std::ptrdiff_t> columns;
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t at = line.find("reachable"); at != std::string::npos)
      columns.push_back(std::count_if(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(at), [](char c) { return (c & 0xc0) != 0x80; }));
  REQUIRE(columns.size() == 2);
  CHECK(columns[0] == columns[1]);
}

TEST_CASE("a change names the port, the path and the machine, what was and what is") {
  const MachineReport machine = hello();
  const Result good = ok(Path::kProxy, "172.19.0.2:8080"), bad = loopback(Path::kProxy, "172.19.0.2:8080");
  CHECK(change_text(machine, &good, &bad) ==
        "hello port 8080 Fly Proxy, machine 3d8d413b29d089: reachable -> refused [loopback-only]\n"
        "  gunicorn listens on 127.0.0.1:8080 only");
  CHECK(change_text(machine, &bad, &good) == "hello port 8080 Fly Proxy, machine 3d8d413b29d089: refused -> reachable");

  Result other = bad;
  other.code = "refused";
  CHECK_THAT(change_text(machine, &other, &bad), Catch::StartsWith("hello port 8080 Fly Proxy, machine 3d8d413b29d089: refused [refused] -> refused [loopback-only]\n"));

  Result check = ok(Path::kCheck, "GET /health"), failing = check;
  failing.severity = Severity::kProblem;
  failing.code = "check-status";
  failing.message = "status 500";
  CHECK(change_text(machine, &check, &failing) == "hello port 8080 check GET /health, machine 3d8d413b29d089: passes -> fails [check-status]\n  status 500");
  check.port = failing.port = 0;
  CHECK(change_text(machine, &failing, &check) == "hello check GET /health, machine 3d8d413b29d089: fails -> passes");
  CHECK(change_text(machine, nullptr, &check) == "hello check GET /health, machine 3d8d413b29d089: passes");
  CHECK(change_text(machine, &good, nullptr) == "hello port 8080 Fly Proxy, machine 3d8d413b29d089: reachable -> not there any more");
}

TEST_CASE("who waits is told for what") {
  Result pending = loopback(Path::kProxy, "172.19.0.2:8080");
  pending.severity = Severity::kPending;
  pending.message = "nothing listens\x1b[2J yet";
  CHECK(waiting_text(hello(), pending) == "  still waiting for hello port 8080 Fly Proxy of machine 3d8d413b29d089: nothing listens yet");
}
