#include "netns/guest.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "netns/backbone.hpp"
#include "netns/sockets.hpp"

using namespace flylocal;
using namespace flylocal::netns;
namespace fs = std::filesystem;

namespace {

/// Whether it worked; if not, the reason is shown with the assertion.
template <class T>
bool ok(const Result<T>& result) {
  if (!result) UNSCOPED_INFO(result.error().message);
  return result.has_value();
}

GuestSpec shell(std::string script) {
  GuestSpec spec;
  spec.hostname = "3d8d413b29d089";
  spec.files = {{"/etc/hosts", "127.0.0.1\tlocalhost\n"}, {"/etc/hostname", "3d8d413b29d089\n"}};
  spec.program.argv = {"sh", "-c", std::move(script)};
  spec.program.env = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "GREETING=hello"};
  spec.program.working_directory = "/";
  return spec;
}

/// Waits for the next event, 20 s at most.
GuestEvent next(Guest& guest) {
  pollfd wait{guest.control_fd(), POLLIN, 0};
  REQUIRE(::poll(&wait, 1, 20000) == 1);
  auto event = guest.next_event();
  REQUIRE(event);
  return *event;
}

int exit_status(Guest& guest) {
  for (;;) {
    GuestEvent event = next(guest);
    if (auto* failed = std::get_if<GuestFailed>(&event)) FAIL(failed->error.message);
    if (auto* exited = std::get_if<GuestExited>(&event)) return exited->wait_status;
  }
}

std::string drain(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

/// Runs a script in a guest to its end and returns what it printed.
std::string run(GuestSpec spec) {
  auto guest = Guest::create(spec);
  REQUIRE(ok(guest));
  UniqueFd output = guest->take_output();
  REQUIRE(ok(guest->go()));
  std::string text = drain(output.get());
  CHECK(exit_status(*guest) == 0);
  return text;
}

struct TemporaryDirectory {
  TemporaryDirectory() {
    std::string pattern = fs::temp_directory_path() / "flylocal-test-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { fs::remove_all(path); }
  fs::path path;
};

}  // namespace

TEST_CASE("a guest has its own hostname, hosts file, process numbers and environment") {
  CHECK(run(shell("hostname; cat /etc/hosts /etc/hostname; echo $$; echo $GREETING; echo ${HOME-unset}")) ==
        "3d8d413b29d089\n127.0.0.1\tlocalhost\n3d8d413b29d089\n2\nhello\nunset\n");
}

TEST_CASE("a guest's /proc shows its own processes only") {
  CHECK(run(shell("ls /proc | grep -c '^[0-9]*$'; cat /proc/1/comm")).ends_with("flylocal-init\n"));
}

TEST_CASE("a guest inherits no descriptor of flylocal") {
  CHECK(run(shell("ls /proc/self/fd | tr '\\n' ' '")) == "0 1 2 3 ");  // 3 is ls reading the directory
}

TEST_CASE("a bind appears where the host has a directory, below one, and where it has nothing") {
  TemporaryDirectory volume;
  std::ofstream(volume.path / "file") << "kept";
  for (const char* destination : {"/mnt", "/flylocal-missing", "/flylocal-missing/deep/er", "/var/lib/flylocal-missing/x"}) {
    GuestSpec spec = shell(std::string("cat ") + destination + "/file; test -x /bin/sh && test -d /usr/bin && test -e /dev/null && test -d /proc/1");
    spec.binds = {{volume.path, destination}};
    INFO(destination);
    CHECK(run(spec) == "kept");
  }
  CHECK_FALSE(fs::exists("/flylocal-missing"));
}

TEST_CASE("what a guest writes to a bind is in the source afterwards") {
  TemporaryDirectory volume;
  GuestSpec spec = shell("echo new > /flylocal-data/file");
  spec.binds = {{volume.path, "/flylocal-data"}};
  run(spec);
  std::string text;
  std::getline(std::ifstream(volume.path / "file") >> std::ws, text);
  CHECK(text == "new");
}

TEST_CASE("mount destinations that cannot be are refused with the reason") {
  auto refusal = [](std::string destination) {
    GuestSpec spec = shell("true");
    spec.binds = {{"/tmp", std::move(destination)}};
    auto guest = Guest::create(spec);
    return guest ? std::string("started") : guest.error().message;
  };
  CHECK(refusal("data").find("not a path below /") != std::string::npos);
  CHECK(refusal("/").find("not a path below /") != std::string::npos);
  CHECK(refusal("/proc/x").find("in /proc") != std::string::npos);
  CHECK(refusal("/etc/passwd").find("is a file") != std::string::npos);
}

TEST_CASE("the exit status, a signal, and a program that does not exist are reported") {
  auto status_of = [](const char* script) {
    auto guest = Guest::create(shell(script));
    REQUIRE(ok(guest));
    REQUIRE(ok(guest->go()));
    return exit_status(*guest);
  };
  CHECK(WEXITSTATUS(status_of("exit 3")) == 3);
  CHECK(WTERMSIG(status_of("kill -KILL $$")) == SIGKILL);

  GuestSpec spec = shell("");
  spec.program.argv = {"no-such-program"};
  auto guest = Guest::create(spec);
  REQUIRE(ok(guest));
  REQUIRE(ok(guest->go()));
  GuestEvent event = next(*guest);
  REQUIRE(std::holds_alternative<GuestFailed>(event));
  CHECK(std::get<GuestFailed>(event).error.message == "execute no-such-program: No such file or directory");
}

TEST_CASE("a signal reaches the program, and orphans end with it") {
  auto guest = Guest::create(shell("trap 'echo got; exit 7' TERM; sleep 1000 & setsid sleep 1000 & echo ready; wait"));
  REQUIRE(ok(guest));
  UniqueFd output = guest->take_output();
  REQUIRE(ok(guest->go()));
  char ready[6];
  REQUIRE(::read(output.get(), ready, sizeof ready) == 6);
  REQUIRE(ok(guest->signal(SIGTERM)));
  CHECK(WEXITSTATUS(exit_status(*guest)) == 7);
  CHECK(drain(output.get()) == "got\n");  // ends only when the two sleepers, who hold the pipe, are gone
}

TEST_CASE("a start is told with its time, however late it is read") {
  auto guest = Guest::create(shell("sleep 1; echo later"));
  REQUIRE(ok(guest));
  UniqueFd output = guest->take_output();
  const auto before = std::chrono::steady_clock::now();
  REQUIRE(ok(guest->go()));
  CHECK(drain(output.get()) == "later\n");
  const auto ended = std::chrono::steady_clock::now();
  GuestEvent event = next(*guest);
  REQUIRE(std::holds_alternative<GuestStarted>(event));
  CHECK(std::get<GuestStarted>(event).at >= before);
  CHECK(std::get<GuestStarted>(event).at < ended - std::chrono::milliseconds(500));
}

TEST_CASE("a guest killed from outside is reported as killed") {
  auto guest = Guest::create(shell("exec sleep 1000"));
  REQUIRE(ok(guest));
  REQUIRE(ok(guest->go()));
  REQUIRE(std::holds_alternative<GuestStarted>(next(*guest)));
  ::kill(guest->init_pid(), SIGKILL);
  CHECK(WTERMSIG(exit_status(*guest)) == SIGKILL);
}

TEST_CASE("a visitor runs inside a guest and its exit code comes back") {
  auto guest = Guest::create(shell("exec sleep 1000"));
  REQUIRE(ok(guest));
  REQUIRE(ok(guest->go()));
  REQUIRE(std::holds_alternative<GuestStarted>(next(*guest)));
  int out[2];
  REQUIRE(::pipe(out) == 0);
  UniqueFd read_end(out[0]), write_end(out[1]);
  // The shell may not have become sleep yet.
  GuestProgram program = shell("hostname; until grep -q sleep /proc/2/comm; do sleep 0.01; done; cat /proc/2/comm; exit 5").program;
  auto visitor = GuestVisitor::start(guest->pidfd(), program, {0, write_end.get(), write_end.get(), false});
  REQUIRE(ok(visitor));
  write_end.reset();
  CHECK(drain(read_end.get()) == "3d8d413b29d089\nsleep\n");
  CHECK(visitor->exit_code() == 5);

  program.argv = {"no-such-program"};
  CHECK(GuestVisitor::start(guest->pidfd(), program, {0, 1, 2, false}).has_error());
}

TEST_CASE("a guest on the backbone has the platform's addresses, and is reached over both families") {
  auto backbone = Backbone::create();
  REQUIRE(ok(backbone));
  SixPnNetwork network{"br-default", boost::asio::ip::make_address_v6("fdaa:0:18::")};
  REQUIRE(ok(backbone->add_network(network)));
  GuestNetwork address{"m0", boost::asio::ip::make_address_v4("172.19.0.2"),
                       boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2")};
  CHECK(address.proxy_source().to_string() == "172.16.0.2");
  auto guest = Guest::create(shell("exec sh -c 'ip -o addr show dev eth0; ip route; ip -6 route; cat /sys/class/net/eth0/mtu'"));
  REQUIRE(ok(guest));
  UniqueFd output = guest->take_output();
  auto ns = NetworkNamespace::of_process(guest->init_pid());
  REQUIRE(ok(ns));
  REQUIRE(ok(backbone->attach(network, address, *ns)));
  REQUIRE(ok(guest->go()));
  const std::string text = drain(output.get());
  INFO(text);
  for (const char* part : {"172.19.0.2/29", "172.19.0.3/29", "fdaa:0:18:a7b:7d:f066:b83b:2/112",
                           "default via 172.19.0.1 dev eth0", "fdaa:0:18::/48 dev eth0", "fdaa::3 dev eth0", "\n1420\n"})
    CHECK(text.find(part) != std::string::npos);
  exit_status(*guest);
  REQUIRE(ok(backbone->detach(network, address)));
  CHECK(backbone->detach(network, address).has_error());  // its gateway address is gone already
}

TEST_CASE("a bridge keeps its hardware address when machines come and go, so that their neighbours still find it") {
  auto backbone = Backbone::create();
  REQUIRE(ok(backbone));
  const SixPnNetwork network{"br-default", boost::asio::ip::make_address_v6("fdaa:0:18::")};
  REQUIRE(ok(backbone->add_network(network)));
  auto hardware_address = [] {
    std::unique_ptr<FILE, int (*)(FILE*)> ip(::popen("ip -o link show br-default | grep -o 'link/ether [0-9a-f:]*'", "r"), ::pclose);
    char line[64] = "";
    REQUIRE(std::fgets(line, sizeof line, ip.get()));
    return std::string(line);
  };
  const std::string before = hardware_address();
  const GuestNetwork address{"m0", boost::asio::ip::make_address_v4("172.19.0.2"),
                             boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2")};
  auto guest = Guest::create(shell("exec sleep 1000"));
  REQUIRE(ok(guest));
  auto ns = NetworkNamespace::of_process(guest->init_pid());
  REQUIRE(ok(ns));
  REQUIRE(ok(backbone->attach(network, address, *ns)));
  CHECK(hardware_address() == before);
  REQUIRE(ok(backbone->detach(network, address)));
  CHECK(hardware_address() == before);
}
