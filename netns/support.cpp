#include "netns/support.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>

#include "flylocal/base/unique_fd.hpp"
#include "netns/backbone.hpp"
#include "netns/guest.hpp"
#include "netns/privilege.hpp"
#include "netns/socket_inventory.hpp"

namespace flylocal::netns {
namespace {

using Outcome = SupportCheck::Outcome;

std::string first_line(const char* path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

bool in_container() {
  std::error_code ignored;
  return std::filesystem::exists("/.dockerenv", ignored) || std::filesystem::exists("/run/.containerenv", ignored) ||
         std::filesystem::exists("/run/systemd/container", ignored) || std::getenv("container") != nullptr;
}

/// Why an unprivileged process gets no user namespace, read from the switches that can forbid it.
std::vector<std::string> user_namespace_ways_out(std::string& cause) {
  const std::string root_way = "run flylocal as root (sudo flylocal ...): then no user namespace is needed";
  if (first_line("/proc/sys/user/max_user_namespaces") == "0") {
    cause = "user namespaces are switched off (user.max_user_namespaces = 0)";
    return {"sudo sysctl user.max_user_namespaces=15000", root_way};
  }
  if (first_line("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    cause = "unprivileged user namespaces are switched off (kernel.unprivileged_userns_clone = 0)";
    return {"sudo sysctl kernel.unprivileged_userns_clone=1", root_way};
  }
  if (first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1") {
    cause = "AppArmor takes the capabilities of unprivileged user namespaces away "
            "(kernel.apparmor_restrict_unprivileged_userns = 1, the default of Ubuntu 23.10 and later)";
    std::error_code failed;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
    return {fmt::format("allow it for flylocal alone: write the two lines \"abi <abi/4.0>,\" and \"include <tunables/global>\" and "
                        "\"profile flylocal {} flags=(unconfined) {{ userns, }}\" to /etc/apparmor.d/flylocal and run "
                        "sudo apparmor_parser -r /etc/apparmor.d/flylocal",
                        failed ? "/path/to/flylocal" : self.string()),
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0", root_way};
  }
  if (in_container()) {
    cause = "this is a container whose seccomp profile or missing capabilities forbid namespaces";
    return {"start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined "
            "(Docker, Podman)",
            "start the container with --privileged", "run flylocal outside of the container"};
  }
  cause = "the kernel refuses user namespaces";
  return {"check that the kernel has CONFIG_USER_NS", root_way};
}

std::vector<std::string> namespace_ways_out(const Error& error) {
  // unshare(2), clone(2): ENOSPC means one of the limits in namespaces(7). They are counted by the user namespace that
  // we are in by now, so the culprit's value cannot be read any more.
  if (error.code == std::errc::no_space_on_device)
    return {"one of user.max_net_namespaces, user.max_mnt_namespaces, user.max_pid_namespaces, user.max_uts_namespaces and "
            "user.max_ipc_namespaces is used up or 0: sudo sysctl user.max_net_namespaces=15000 (and so on for the others)"};
  if (in_container())
    return {"start the container with --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined",
            "start the container with --privileged"};
  return {"check that the kernel has CONFIG_NET_NS, CONFIG_PID_NS, CONFIG_UTS_NS and CONFIG_IPC_NS"};
}

std::vector<std::string> module_ways_out(const char* module) {
  return {fmt::format("sudo modprobe {}", module),
          fmt::format("where modules cannot be loaded (a container, a custom kernel): use a kernel that has {} built in", module)};
}

/// The checks in order; `report` is called for each; ends early where the rest cannot work.
void run_checks(const std::function<void(SupportCheck)>& report) {
  auto ok = [&](const char* name, std::string found) { report({name, Outcome::kOk, std::move(found), {}}); };

  auto privilege = acquire_privilege();
  if (!privilege) {
    std::string cause;
    auto ways_out = user_namespace_ways_out(cause);
    report({"user namespace", Outcome::kFailed, fmt::format("{} ({})", cause, privilege.error().message), ways_out});
    return;
  }
  if (privilege->kind == Privilege::Kind::kCapable) {
    ok("privilege", "has CAP_SYS_ADMIN and CAP_NET_ADMIN; no user namespace needed");
  } else {
    ok("user namespace", "works without privileges");
    if (privilege->uids.size() > 1)
      ok("other users inside", fmt::format("{} subordinate ids through newuidmap", privilege->uids[1].count));
    else
      report({"other users inside", Outcome::kDegraded,
              "only root exists inside machines: servers that change to another user (nginx workers, postgres) fail",
              {"sudo apt-get install uidmap, and give this user a line in /etc/subuid and /etc/subgid "
               "(sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER)",
               "run flylocal as root"}});
  }

  auto backbone = Backbone::create();
  if (!backbone) {
    report({"network namespace", Outcome::kFailed, backbone.error().message, namespace_ways_out(backbone.error())});
    return;
  }
  ok("network namespace", "works");

  SixPnNetwork network{"br-check", boost::asio::ip::make_address_v6("fdaa:0:1::")};
  if (auto added = backbone->add_network(network); !added) {
    const bool no_ipv6 = !std::filesystem::exists("/proc/net/if_inet6");
    if (no_ipv6)
      report({"bridge", Outcome::kFailed, "IPv6 is not available, and 6PN is IPv6 (" + added.error().message + ")",
              {"boot without ipv6.disable=1, or load the ipv6 module"}});
    else
      report({"bridge", Outcome::kFailed, added.error().message, module_ways_out("bridge")});
    return;
  }
  ok("bridge", "works");

  GuestSpec spec;
  spec.hostname = "flylocal-check";
  spec.files = {{"/etc/hosts", "127.0.0.1\tlocalhost\n"}};
  spec.program.argv = {"/bin/sh", "-c", "test -e /proc/self/exe && exec grep -qs '^Pid:.*\\b2$' /proc/2/status"};
  spec.program.env = {"PATH=/usr/bin:/bin"};
  spec.program.working_directory = "/";
  auto guest = Guest::create(spec);
  if (!guest) {
    report({"machine namespaces", Outcome::kFailed, guest.error().message, namespace_ways_out(guest.error())});
    return;
  }
  ok("machine namespaces", "network, mount, pid, uts and ipc work");
  auto guest_namespace = NetworkNamespace::of_process(guest->init_pid());
  GuestNetwork address{"check0", boost::asio::ip::make_address_v4("172.19.0.2"),
                       boost::asio::ip::make_address_v6("fdaa:0:1:a7b:1::2")};
  if (!guest_namespace) {
    report({"veth", Outcome::kFailed, guest_namespace.error().message, namespace_ways_out(guest_namespace.error())});
    return;
  }
  if (auto attached = backbone->attach(network, address, *guest_namespace); !attached) {
    report({"veth", Outcome::kFailed, attached.error().message, module_ways_out("veth")});
    return;
  }
  ok("veth", "works");
  if (auto inventory = SocketInventory::open(*guest_namespace); !inventory || !inventory->read()) {
    report({"socket diagnostics", Outcome::kFailed, "the kernel does not list sockets over netlink",
            {"sudo modprobe -a tcp_diag udp_diag inet_diag"}});
    return;
  }
  ok("socket diagnostics", "works");

  if (auto gone = guest->go(); !gone) {
    report({"machine start", Outcome::kFailed, gone.error().message, {}});
    return;
  }
  constexpr int kPatienceMilliseconds = 5000;
  for (;;) {
    pollfd wait{guest->control_fd(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMilliseconds) != 1) {
      report({"machine start", Outcome::kFailed, "a test machine did not end in time", {}});
      return;
    }
    auto event = guest->next_event();
    if (!event || std::holds_alternative<GuestStarted>(*event)) continue;
    if (auto* failed = std::get_if<GuestFailed>(&*event)) {
      report({"machine start", Outcome::kFailed, failed->error.message, namespace_ways_out(failed->error)});
    } else if (std::get<GuestExited>(*event).wait_status == 0) {
      ok("machine start", "a test machine ran, with its own /proc");
    } else {
      report({"machine start", Outcome::kDegraded, "machines run, but see the host's /proc instead of their own",
              {"in a container: start it with --security-opt systempaths=unconfined"}});
    }
    return;
  }
}

void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n <= 0 && errno != EINTR) return;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

constexpr char kFieldEnd = '\x1f', kRecordEnd = '\x1e';

std::vector<SupportCheck> parse_records(const std::string& text) {
  std::vector<SupportCheck> checks;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find(kRecordEnd, begin), text.size());
    std::vector<std::string> fields;
    for (std::size_t at = begin; at < end;) {
      std::size_t stop = std::min(text.find(kFieldEnd, at), end);
      fields.push_back(text.substr(at, stop - at));
      at = stop + 1;
    }
    if (fields.size() >= 3)
      checks.push_back({fields[0], static_cast<Outcome>(fields[1][0] - '0'), fields[2], {fields.begin() + 3, fields.end()}});
    begin = end + 1;
  }
  return checks;
}

}  // namespace

std::vector<SupportCheck> check_support() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {{"pipe", Outcome::kFailed, system_error("pipe2", errno).message, {}}};
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  // Without fork handlers: a sanitizer's would start a thread, and only a lone one may unshare a user namespace.
  const pid_t child = ::_Fork();
  if (child < 0) return {{"fork", Outcome::kFailed, system_error("fork", errno).message, {}}};
  if (child == 0) {
    read_end.reset();
    run_checks([&](const SupportCheck& check) {
      std::string record = fmt::format("{}{}{}{}{}{}", check.name, kFieldEnd, static_cast<int>(check.outcome), kFieldEnd,
                                       check.found, kFieldEnd);
      for (const std::string& way : check.ways_out) record += way + kFieldEnd;
      write_all(write_end.get(), record + kRecordEnd);
    });
    ::_exit(0);
  }
  write_end.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(read_end.get(), buffer, sizeof buffer)) != 0;) {
    if (n < 0 && errno != EINTR) break;
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return parse_records(text);
}

}  // namespace flylocal::netns
