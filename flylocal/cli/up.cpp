#include "flylocal/cli/up.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <algorithm>
#include <map>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/log_text.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/report_text.hpp"
#include "flylocal/report/examiner.hpp"

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

void show_addresses(Running& running) {
  for (const std::string& note : running.sandbox.notes()) running.printer.print(paint(Colour::kDim, printable(note)));
  for (const auto& port : running.sandbox.ports())
    for (const auto& backend : port.backends)
      running.printer.print(fmt::format(
          "  {} {} -> {} port {}", paint(Colour::kBold, backend.app),
          paint(Colour::kCyan, port.handlers == proxy::Handlers{.http = true} && port.backends.size() == 1
                                   ? fmt::format("http://localhost:{}/ or {}", port.host_port, port.url(backend.app))
                                   : port.url(backend.app)),
          backend.process_group, backend.internal_port));
}

/// What a verdict's change looks like in the live view.
void show_change(Running& running, const report::MachineReport& machine, const report::Result* before, const report::Result* now) {
  // Machines that stop and start are told by their own lines.
  if (now && now->code == "not-running" && machine.state != "started") return;
  // What 6PN has in common with Fly Proxy, and nobody requires, is told once.
  const bool is_told = now && now->path == report::Path::k6pn && now->severity == report::Severity::kNote &&
                       std::any_of(machine.results.begin(), machine.results.end(), [&](const report::Result& other) {
                         return other.path == report::Path::kProxy && other.port == now->port && other.code == now->code;
                       });
  if (is_told) return;
  running.printer.print(change_text(machine, before, now));
}

Task<> report_and_watch(Running& running, report::Examiner& examiner, const std::function<void()>& on_ready) {
  std::vector<std::string> names;
  for (const auto& app : running.sandbox.apps()) names.push_back(app.name);
  running.printer.print(fmt::format("Starting {} machine{} of {}", running.sandbox.machines().size(),
                                    running.sandbox.machines().size() == 1 ? "" : "s", fmt::join(names, ", ")));
  show_addresses(running);
  co_await running.sandbox.start_machines();
  const report::Examiner::OnUncertain on_uncertain = [&](const report::MachineReport& machine, const report::Result& result) {
    running.printer.print(waiting_text(machine, result));
  };
  co_await examiner.until_certain(on_uncertain);
  if (running.stopping) co_return;
  running.printer.print(paint(Colour::kBold, "Bind report") + "\n" + report_text(examiner.report()));
  on_ready();
  co_await examiner.watch([&](const report::MachineReport& machine, const report::Result* before, const report::Result* now) {
    show_change(running, machine, before, now);
  });
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

}  // namespace

int up(const UpOptions& options) {
  Detachment detachment;
  if (options.detach)
    if (auto code = detachment.split()) return *code;
  SandboxOptions how;
  how.http_probe = !options.no_http_probe;
  return run_sandbox(options.projects, how, [&](Running& running) -> Task<int> {
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
    report::ExaminationOptions examination;
    examination.http_probe = !options.no_http_probe;
    examination.tells_proxy = true;
    report::Examiner examiner(running.sandbox, examination);
    co_await ((report_and_watch(running, examiner, on_ready) || until_stopped(running)) || show_progress(running));
    co_await examiner.close();
    running.printer.print("Stopping");
    co_return kOk;
  });
}

}  // namespace flylocal::cli
