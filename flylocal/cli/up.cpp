#include "flylocal/cli/up.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/log_text.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/report_text.hpp"
#include "flylocal/cli/sandbox_client.hpp"
#include "flylocal/report/reporter.hpp"
#include "flylocal/store/state_directory.hpp"

namespace flylocal::cli {
namespace {

using namespace asio::experimental::awaitable_operators;
using sandbox::Machine;
using sandbox::MachineState;

/// Prints each machine's way from one state to the next, until cancelled.
Task<> show_progress(Running& running) {
  std::map<std::string, MachineState> shown;
  for (;;) {
    for (const auto& machine : running.sandbox.machines()) {
      const MachineState state = machine->state();
      auto known = shown.find(machine->id());
      if (state == MachineState::kCreated || (known != shown.end() && known->second == state)) continue;
      shown[machine->id()] = state;
      const auto& record = machine->spec().record;
      const Colour colour = state == MachineState::kStarted  ? Colour::kGreen
                            : state == MachineState::kFailed ? Colour::kRed
                                                             : Colour::kDim;
      running.printer.print(fmt::format("  machine {} ({} {}, {}) {}", machine->id(), record.app, record.process_group, record.region,
                                        paint(colour, name(state))));
    }
    co_await running.sandbox.changed().wait();
  }
}

Task<> until_stopped(Running& running) {
  while (!running.stopping) {
    co_await running.stop_requested.wait();
  }
}

void show_addresses(Running& running) {
  for (const std::string& note : running.sandbox.notes()) running.printer.print(paint(Colour::kDim, printable(note)));
  for (const auto& port : running.sandbox.ports())
    for (const auto& backend : port.backends)
      running.printer.print(fmt::format(
          "  {} {} -> {} port {}", paint(Colour::kBold, backend.app),
          port.handling == proxy::Handling::http
              ? paint(Colour::kCyan, port.backends.size() == 1 ? fmt::format("http://localhost:{}/ or http://{}.localhost:{}/", port.host_port, backend.app, port.host_port)
                                                               : fmt::format("http://{}.localhost:{}/", backend.app, port.host_port))
              : paint(Colour::kCyan, fmt::format("tcp localhost:{}", port.host_port)),
          backend.process_group, backend.internal_port));
}

Task<> report_and_wait(Running& running, const std::function<void()>& on_ready) {
  std::vector<std::string> names;
  for (const auto& app : running.sandbox.apps()) names.push_back(app.name);
  running.printer.print(fmt::format("Starting {} machine{} of {}", running.sandbox.machines().size(),
                                    running.sandbox.machines().size() == 1 ? "" : "s", fmt::join(names, ", ")));
  show_addresses(running);
  co_await running.sandbox.start_machines();
  const report::EarlyFinding on_early = [&](const report::Finding& finding) {
    running.printer.print(paint(Colour::kDim, fmt::format("  still waiting for {} port {} of machine {}: {}", finding.app, finding.port,
                                                          finding.machine, printable(finding.sentence))));
  };
  report::Report report = co_await report::make_report(running.sandbox, report::patience(running.sandbox), on_early);
  if (running.stopping) co_return;
  running.printer.print(report_text(report));
  on_ready();
  co_await until_stopped(running);
}

/// For `up --detach`: the parent waits here for the child's word, and ends as the child says.
class Detachment {
 public:
  /// In the child: no value. In the parent: the exit code.
  std::optional<int> split() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail("pipe2");
    UniqueFd read_end(ends[0]);
    ready_.reset(ends[1]);
    // Without fork handlers: a sanitizer's would start a thread, and only a lone one may unshare a user namespace.
    const pid_t child = ::_Fork();
    if (child < 0) return fail("fork");
    if (child == 0) {
      ::setsid();
      return std::nullopt;
    }
    ready_.reset();
    char code;
    ssize_t n;
    while ((n = ::read(read_end.get(), &code, 1)) < 0 && errno == EINTR) {
    }
    if (n == 1) return kOk;
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : kCannotRun;
  }

  /// In the child: lets the parent go, and leaves its terminal.
  void announce_ready() {
    if (!ready_) return;
    if (::write(ready_.get(), "r", 1) != 1) spdlog::warn("the starting process is gone");
    ready_.reset();
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int fd = 0; fd <= 2; ++fd) ::dup2(null.get(), fd);
  }

 private:
  std::optional<int> fail(const char* act) {
    complain(system_error(act, errno).message);
    return kCannotRun;
  }
  UniqueFd ready_;
};

int finish_check(const CheckOptions& options, const report::Report& report, const std::function<void(std::string)>& print) {
  print(options.json ? boost::json::serialize(report::to_json(report)) : report_text(report));
  return report.has_problems() ? kProblem : kOk;
}

/// The same check of a sandbox that already runs these projects; nothing when none does.
std::optional<int> check_running(const CheckOptions& options) {
  auto state = store::state_directory();
  if (!state) return std::nullopt;
  auto client = api::Client::connect(*state);
  if (!client) return std::nullopt;
  auto status = client->call("GET", "/flylocal/v1/status");
  if (!status) return std::nullopt;
  std::set<std::string> running;
  for (const boost::json::value& app : status->at("apps").as_array()) running.insert(text_of(app.as_object(), "directory"));
  std::vector<std::filesystem::path> directories = options.projects.directories;
  if (directories.empty()) directories = {"."};
  for (const auto& directory : directories) {
    std::error_code failed;
    if (!running.contains(std::filesystem::canonical(directory, failed).string())) return std::nullopt;
  }
  const std::string limit = options.time_limit ? fmt::format("?timeout_ms={}", options.time_limit->count()) : "";
  client->wait_without_limit();
  auto report = client->call("GET", "/flylocal/v1/report" + limit);
  if (!report) {
    complain(report.error().message);
    return kCannotRun;
  }
  return finish_check(options, report::from_json(*report), [](const std::string& text) { say(text); });
}

}  // namespace

int up(const UpOptions& options) {
  Detachment detachment;
  if (options.detach)
    if (auto code = detachment.split()) return *code;
  return run_sandbox(options.projects, Chatter::kOn, [&](Running& running) -> Task<int> {
    if (options.detach) running.printer.need_no_reader();
    running.sandbox.logs().set_listener([&running](const sandbox::LogLine& line) { running.printer.print(log_text(line)); });
    std::function<void()> on_ready = [&] {
      if (!options.detach) {
        if (::isatty(STDOUT_FILENO) == 1)
          running.printer.print(paint(Colour::kDim, "Ctrl-C stops. In another terminal: flylocal status, flylocal logs -f, flylocal ssh console"));
        return;
      }
      running.sandbox.logs().set_listener({});
      running.printer.print("The sandbox runs in the background. `flylocal status` shows it, `flylocal down` stops it.");
      running.printer.flush();
      detachment.announce_ready();
    };
    co_await ((report_and_wait(running, on_ready) || until_stopped(running)) || show_progress(running));
    running.printer.print("Stopping");
    co_return kOk;
  });
}

int check(const CheckOptions& options) {
  if (auto code = check_running(options)) return *code;
  return run_sandbox(options.projects, options.json ? Chatter::kOff : Chatter::kOn, [&](Running& running) -> Task<int> {
    report::Report report;
    auto look = [&]() -> Task<> {
      co_await running.sandbox.start_machines();
      report = co_await report::make_report(running.sandbox, options.time_limit.value_or(report::patience(running.sandbox)), {});
    };
    auto ended = co_await (look() || until_stopped(running));
    if (ended.index() == 1) co_return kCannotRun;
    co_return finish_check(options, report, [&](std::string text) { running.printer.print(std::move(text)); });
  });
}

}  // namespace flylocal::cli
