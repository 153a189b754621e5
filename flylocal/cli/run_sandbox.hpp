#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/base/notifier.hpp"
#include "flylocal/cli/printer.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::cli {

/// More than any host's clients could keep busy; each costs memory of its own.
inline constexpr std::size_t kMostProxyThreads = 64;

/// Which projects run, and how.
struct ProjectOptions {
  std::vector<std::filesystem::path> directories;  ///< empty: the current one
  std::optional<std::string> command;
  std::optional<std::string> config_file;
  std::vector<std::string> expect;  ///< "6pn:PORT": what other machines must reach
  std::vector<std::string> dns_servers;  ///< name servers that are asked instead of the host's
  std::string dns_order;                 ///< "fixed" or "random"; empty: as the projects say
  bool reverse_names = false;            ///< 6PN addresses have names
  std::string edge_region;               ///< whose edge takes the clients; empty: the first project's primary region
  std::string autostop_interval;         ///< "300s", "0"; empty: the default
  bool faithful_errors = false;          ///< the proxy's own answers have no body
  std::size_t proxy_threads = 1;         ///< 1 to kMostProxyThreads
};

/// Where notes and progress go: people's terminal, or nowhere when stdout carries JSON.
enum class Chatter { kOn, kOff };

/// The app of the machine in which `flylocal test --inside` runs its command.
inline constexpr const char* kPeerApp = "flylocal-peer";

/// How the sandbox is made.
struct SandboxOptions {
  Chatter chatter = Chatter::kOn;
  sandbox::HostPorts host_ports = sandbox::HostPorts::kUsual;
  bool http_probe = true;  ///< programs may be sent HTTP requests that are no client's
  bool with_peer = false;  ///< a machine of kPeerApp beside the projects', on the first one's network
};

/// A sandbox that is up, with its control socket.
struct Running {
  sandbox::Sandbox& sandbox;
  Printer& printer;
  /// Notified once when the user (a signal, `down`) or a closed stdout asks for the end.
  Notifier& stop_requested;
  const bool& stopping;
};

/// Ends when the user asks for the end.
Task<> until_stopped(Running& running);

/// Loads the projects, makes the sandbox and its control socket, runs `body`, shuts everything down in order, and
/// returns body's exit code, or kCannotRun with the reason on stderr. A second SIGINT or SIGTERM kills the machines at once.
/// Must be called while the process has one thread.
int run_sandbox(const ProjectOptions& options, const SandboxOptions& how, std::function<Task<int>(Running&)> body);

}  // namespace flylocal::cli
