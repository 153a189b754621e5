#include "flylocal/report/machine_view.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace flylocal::report {
namespace {

using sandbox::Machine;
using sandbox::MachineState;

/// Why a machine is not going to answer; nothing while it runs or is about to.
std::optional<std::string> why_not_running(const Machine& machine) {
  std::string why;
  switch (machine.state()) {
    case MachineState::kStarted: return std::nullopt;
    case MachineState::kStarting:
      if (!machine.last_exit() || machine.restart_count() == 0) return std::nullopt;
      why = fmt::format("the machine is being restarted (restart {})", machine.restart_count());
      break;
    case MachineState::kFailed: return "the machine could not start: " + machine.failure();
    case MachineState::kSuspending:
    case MachineState::kSuspended: return fmt::format("the machine is {}", name(machine.state()));
    case MachineState::kCreated:
    case MachineState::kStopping:
    case MachineState::kStopped: why = fmt::format("the machine is {}", name(machine.state()));
  }
  if (const auto& exit = machine.last_exit())
    why += exit->signal ? fmt::format("; its program was killed by signal {}", *exit->signal)
                        : fmt::format("; its program exited with code {}{}", exit->exit_code,
                                      exit->exit_code == 0 ? ", and a service must keep running" : "");
  return why;
}

/// What the program said in its last run, newest last, each line once: what an earlier run said is not why this one fails.
std::vector<std::string> last_lines(sandbox::Sandbox& sandbox, const std::string& machine, std::size_t most) {
  std::vector<std::string> lines;
  auto& logs = sandbox.logs();
  for (auto number = logs.end(); number > logs.begin() && lines.size() < most; --number) {
    const sandbox::LogLine& line = logs.at(number - 1);
    if (line.machine != machine) continue;
    const bool is_end_of_run = line.source == sandbox::LogLine::Source::kRunner && line.text.starts_with("main process ");
    if (is_end_of_run && !lines.empty()) break;
    if (line.source == sandbox::LogLine::Source::kApp && !line.text.empty() &&
        std::find(lines.begin(), lines.end(), line.text) == lines.end())
      lines.push_back(line.text);
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

/// The parent of each process, by what proc(5) has in stat behind the name, which may have any characters.
std::map<pid_t, pid_t> parents_of(const std::vector<netns::GuestProcess>& processes, pid_t init) {
  std::map<pid_t, pid_t> parents;
  for (const netns::GuestProcess& process : processes) {
    std::ifstream file(fmt::format("/proc/{}/root/proc/{}/stat", init, process.pid));
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;  // it has ended meanwhile
    std::istringstream fields(stat.substr(name_end + 1));
    char state = 0;
    if (pid_t parent = 0; fields >> state >> parent) parents[process.pid] = parent;
  }
  return parents;
}

std::string said(const std::vector<std::string>& lines) {
  constexpr std::size_t kLines = 5;
  const std::size_t from = lines.size() > kLines ? lines.size() - kLines : 0;
  return fmt::format("{}", fmt::join(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.end(), " | "));
}

}  // namespace

std::string command_of(const Machine& machine) { return fmt::format("{}", fmt::join(machine.spec().guest.program.argv, " ")); }

MachineView view_machine(sandbox::Sandbox& sandbox, Machine& machine) {
  constexpr std::size_t kLinesRead = 40;
  const auto& address = machine.spec().address;
  MachineView view;
  view.addresses = {address.private_ipv4, address.global_services(), address.six_pn};
  view.not_running = why_not_running(machine);
  const std::vector<std::string> lines = last_lines(sandbox, machine.id(), kLinesRead);
  view.bind_error = find_bind_error(lines, command_of(machine));
  view.said = lines;
  if (view.not_running) {
    if (!lines.empty()) *view.not_running += "; it last said: " + said(lines);
    return view;
  }
  if (!machine.inventory()) return view;
  auto sockets = machine.inventory()->read();
  if (!sockets) {
    spdlog::warn("machine {}: {}", machine.id(), sockets.error().message);
    return view;
  }
  view.sockets = std::move(*sockets);
  view.processes = netns::guest_processes(machine.guest()->init_pid());
  view.parents = parents_of(view.processes, machine.guest()->init_pid());
  const auto& record = machine.spec().record;
  if (const auto& metrics = sandbox.find_app(record.app)->groups.at(record.process_group).config.metrics) view.metrics_ports.push_back(metrics->port);
  // Between two crashes it runs for a moment; "not listening yet" would be the smaller half of the truth.
  if (machine.restart_count() > 0 && machine.last_exit() && view.sockets.empty())
    view.not_running = fmt::format("the program keeps ending: it exited with code {} and was restarted {}; it last said: {}", machine.last_exit()->exit_code,
                                   machine.restart_count() == 1 ? "once" : fmt::format("{} times", machine.restart_count()), said(lines));
  return view;
}

}  // namespace flylocal::report
