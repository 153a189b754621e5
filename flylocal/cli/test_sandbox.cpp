#include "flylocal/cli/test_sandbox.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/log_text.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/store/state_directory.hpp"

namespace flylocal::cli {
namespace {

namespace fs = std::filesystem;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

constexpr std::string_view kDirectoryPrefix = "test-";
constexpr auto kLeftoversAge = 1h;

/// State that a killed run left behind: nobody holds its lock, and it is too old to be one that is just being made.
void remove_leftovers(const fs::path& parent) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(parent, failed)) {
    if (!entry.path().filename().string().starts_with(kDirectoryPrefix)) continue;
    const auto age = fs::file_time_type::clock::now() - entry.last_write_time(failed);
    if (failed || age < kLeftoversAge) continue;
    auto lock = store::StateLock::acquire(entry.path(), "removing");
    if (lock) fs::remove_all(entry.path(), failed);
  }
}

/// A directory that nobody has. The sandbox makes it, who also removes it when the caller is killed.
Result<std::string> choose_state_directory() {
  auto parent = store::state_directory();
  if (!parent) return parent.error();
  remove_leftovers(*parent);
  const std::string chosen = fmt::format("{}{:08x}", kDirectoryPrefix, std::random_device()());
  return Result<std::string>(boost::system::in_place_value, (*parent / chosen).string());
}

/// "my-app" as a part of a variable's name: MY_APP.
std::string variable_part(std::string_view app) {
  std::string part;
  for (char c : app) part += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : '_';
  return part;
}

/// Where the command finds the app: outside by its published port, inside by its name on the network.
std::string url_of(const sandbox::Sandbox& sandbox, const project::AppSpec& app, bool inside) {
  if (inside) {
    for (const auto& [name, group] : app.groups)
      for (const config::Service& service : group.config.services)
        if (service.protocol != config::TransportProtocol::kUdp) return fmt::format("http://{}.internal:{}", app.name, service.internal_port);
    return {};
  }
  std::string other;
  for (const sandbox::PublishedPort& port : sandbox.ports()) {
    if (port.backends.front().app != app.name) continue;
    if (port.handlers.http && !port.handlers.tls) return fmt::format("http://localhost:{}", port.host_port);
    if (other.empty()) other = fmt::format("tcp://localhost:{}", port.host_port);
  }
  return other;
}

std::vector<std::string> variables_of(const sandbox::Sandbox& sandbox, const std::string& state_directory, bool inside) {
  std::vector<std::string> variables{fmt::format("{}={}", store::kStateDirectoryVariable, state_directory),
                                     fmt::format("FLYLOCAL_SOCKET={}", store::control_socket_path(state_directory).string())};
  if (auto certificates = store::certificates_directory())
    variables.push_back(fmt::format("{}={}", store::kCertificatesVariable, certificates->string()));
  for (const project::AppSpec& app : sandbox.apps()) {
    if (app.is_fixture) continue;
    const std::string part = variable_part(app.name);
    const std::string url = url_of(sandbox, app, inside);
    if (&app == &sandbox.apps().front()) variables.push_back("FLYLOCAL_URL=" + url);
    variables.push_back(fmt::format("FLYLOCAL_{}_URL={}", part, url));
    variables.push_back(fmt::format("FLYLOCAL_{}_INTERNAL={}.internal", part, app.name));
    std::vector<std::string> ids, addresses;
    for (const auto& machine : sandbox.machines()) {
      if (machine->spec().record.app != app.name) continue;
      ids.push_back(machine->id());
      addresses.push_back(machine->spec().address.six_pn.to_string());
    }
    variables.push_back(fmt::format("FLYLOCAL_{}_MACHINES={}", part, fmt::join(ids, ",")));
    variables.push_back(fmt::format("FLYLOCAL_{}_ADDRESSES={}", part, fmt::join(addresses, ",")));
  }
  return variables;
}

/// Ends when the other side is gone. What it entrusted to us and did not take back goes with it.
Task<> until_left(LocalSocket& link) {
  pid_t entrusted = 0;
  for (;;) {
    pid_t told = 0;
    auto [failed, size] = co_await asio::async_read(link, asio::buffer(&told, sizeof told), as_result);
    if (failed == asio::error::operation_aborted) co_return;  // the sandbox ends for another reason
    if (failed) break;
    entrusted = told;
  }
  if (entrusted != 0) ::kill(entrusted, SIGKILL);
}

/// The life of the sandbox's process.
int serve(const TestOptions& options, const ReportPlan& plan, const std::string& directory, UniqueFd link_fd) {
  ::setsid();  // Ctrl-C is the caller's, who then lets us go in order
  SandboxOptions how;
  how.chatter = Chatter::kOff;
  how.host_ports = sandbox::HostPorts::kAnyFree;
  how.with_peer = options.inside;
  how.http_probe = plan.examination.http_probe;
  const int code = run_sandbox(options.projects, how, [&](Running& running) -> Task<int> {
    LocalSocket link(running.sandbox.executor(), asio::local::stream_protocol(), link_fd.release());
    if (options.logs) running.sandbox.logs().set_listener([](const sandbox::LogLine& line) { fmt::print(stderr, "{}\n", log_text(line)); });
    int result = kCannotRun;
    auto live = [&]() -> Task<> {
      co_await running.sandbox.start_machines();
      const report::Report report = co_await report::make_report(running.sandbox, plan.examination, tell_who_waits());
      const bool good = report.is_good();
      // stdout is the command's; the report for people appears where it tells why the command does not run.
      const bool written = put_out(report, plan.targets, [&](std::string text) {
        if (!plan.is_text_on_stdout()) running.printer.print(std::move(text));
        else if (!good) fmt::print(stderr, "{}\n", text);
      });
      result = !written ? kCannotRun : good ? kOk : kProblem;
      if (result != kOk) co_return;
      running.printer.flush();
      const std::string text = fmt::format("{}\n\n", fmt::join(variables_of(running.sandbox, directory, options.inside), "\n"));
      (void)co_await asio::async_write(link, asio::buffer(text), as_result);
      co_await until_stopped(running);
    };
    co_await (live() || until_stopped(running) || until_left(link));
    co_return result;
  });
  // Volumes may belong to ids that only this process's user namespace knows.
  std::error_code failed;
  fs::remove_all(directory, failed);
  return code;
}

}  // namespace

std::optional<TestSandbox> TestSandbox::start(const TestOptions& options, const ReportPlan& plan, const sigset_t& signals) {
  auto fail = [](const Error& error) {
    complain(error.message);
    return std::nullopt;
  };
  auto directory = choose_state_directory();
  if (!directory) return fail(directory.error());
  // Clients that trust the user's authority trust this sandbox.
  if (auto certificates = store::certificates_directory()) ::setenv(store::kCertificatesVariable, certificates->c_str(), 1);
  ::setenv(store::kStateDirectoryVariable, directory->c_str(), 1);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail(system_error("make a socket pair", errno));
  TestSandbox sandbox;
  sandbox.directory_ = *directory;
  sandbox.link_.reset(ends[0]);
  UniqueFd other(ends[1]);
  std::fflush(nullptr);
  // Without fork handlers: a sanitizer's would start a thread, and only a lone one may unshare a user namespace.
  sandbox.pid_ = ::_Fork();
  if (sandbox.pid_ < 0) return fail(system_error("fork", errno));
  if (sandbox.pid_ == 0) {
    sandbox.link_.reset();
    ::sigprocmask(SIG_SETMASK, &signals, nullptr);
    const int code = serve(options, plan, *directory, std::move(other));
    std::fflush(nullptr);
    ::_exit(code);
  }
  sandbox.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, sandbox.pid_, 0)));
  if (!sandbox.pidfd_) return fail(system_error("open a process", errno));
  return sandbox;
}

bool TestSandbox::read_variables() {
  char buffer[4096];
  const ssize_t n = ::recv(link_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) ended_ = true;
  if (n <= 0) return false;
  unread_.append(buffer, static_cast<std::size_t>(n));
  if (!unread_.ends_with("\n\n")) return false;
  for (std::size_t begin = 0; begin + 1 < unread_.size();) {
    const std::size_t end = unread_.find('\n', begin);
    variables_.push_back(unread_.substr(begin, end - begin));
    begin = end + 1;
  }
  return true;
}

void TestSandbox::entrust(pid_t who) const { (void)::send(link_.get(), &who, sizeof who, MSG_NOSIGNAL); }

void TestSandbox::hurry() const { ::kill(pid_, SIGTERM); }

void TestSandbox::kill() { ::kill(pid_, SIGKILL); }

int TestSandbox::finish() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  std::error_code failed;
  fs::remove_all(directory_, failed);
  return WIFEXITED(status) ? WEXITSTATUS(status) : kCannotRun;
}

}  // namespace flylocal::cli
