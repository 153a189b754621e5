#include "netns/privilege.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <string>

#include "flylocal/base/unique_fd.hpp"

namespace flylocal::netns {
namespace {

bool has_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  auto effective = [&](int cap) { return (data[cap / 32].effective & (1u << (cap % 32))) != 0; };
  return effective(CAP_SYS_ADMIN) && effective(CAP_NET_ADMIN);
}

/// The caller's first range in /etc/subuid or /etc/subgid (subuid(5): name-or-uid:start:count).
std::optional<IdRange> subordinate_range(const char* path, const std::string& name, uid_t uid) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    auto first = line.find(':');
    auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string owner = line.substr(0, first);
    if (owner != name && owner != std::to_string(uid)) continue;
    IdRange range{1, 0, 0};
    const char* text = line.data();
    auto start = std::from_chars(text + first + 1, text + second, range.outside);
    auto count = std::from_chars(text + second + 1, text + line.size(), range.count);
    if (start.ec == std::errc{} && count.ec == std::errc{} && range.count > 0) return range;
  }
  return std::nullopt;
}

/// Runs `program pid 0 outside 1 1 start count` and tells whether it ended well.
bool run_map_program(const char* program, pid_t target, const std::vector<IdRange>& ranges) {
  std::vector<std::string> words{program, std::to_string(target)};
  for (const IdRange& r : ranges)
    for (std::uint32_t value : {r.inside, r.outside, r.count}) words.push_back(std::to_string(value));
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = ::fork();
  if (child == 0) {
    // A refusal is not an error of ours: the single mapping follows. So it is kept off the terminal.
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(null.get(), STDOUT_FILENO);
    ::dup2(null.get(), STDERR_FILENO);
    ::execvp(program, argv.data());
    ::_exit(127);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Result<> write_file(const char* path, const std::string& text) {
  UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  if (!fd) return system_error(fmt::format("open {}", path), errno);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error(fmt::format("write \"{}\" to {}", text, path), errno);
  return {};
}

bool in_ranges(const std::vector<IdRange>& ranges, std::uint32_t id) {
  for (const IdRange& r : ranges)
    if (id >= r.inside && id - r.inside < r.count) return true;
  return false;
}

}  // namespace

bool Privilege::can_become(std::uint32_t uid, std::uint32_t gid) const {
  return kind == Kind::kCapable || (in_ranges(uids, uid) && in_ranges(gids, gid));
}

Result<Privilege> acquire_privilege() {
  Privilege privilege;
  if (has_capabilities()) return privilege;
  privilege.kind = Privilege::Kind::kUserNamespace;

  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  privilege.uids = {{0, uid, 1}};
  privilege.gids = {{0, gid, 1}};
  std::vector<IdRange> wide_uids = privilege.uids, wide_gids = privilege.gids;
  const passwd* entry = ::getpwuid(uid);
  const std::string name = entry ? entry->pw_name : std::to_string(uid);
  auto sub_uids = subordinate_range("/etc/subuid", name, uid);
  auto sub_gids = subordinate_range("/etc/subgid", name, uid);
  if (sub_uids && sub_gids) {
    wide_uids.push_back(*sub_uids);
    wide_gids.push_back(*sub_gids);
  }

  // newuidmap must act from outside the new namespace, on a process that is already in it: a child that
  // stays behind waits for the word and then maps its parent.
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) != 0) return system_error("pipe2", errno);
  UniqueFd gate_read(gate[0]), gate_write(gate[1]);
  const pid_t self = ::getpid();
  pid_t mapper = -1;
  if (wide_uids.size() > 1) {
    mapper = ::fork();
    if (mapper < 0) return system_error("fork the id mapper", errno);
    if (mapper == 0) {
      gate_write.reset();
      char word = 0;
      if (::read(gate_read.get(), &word, 1) != 1) ::_exit(1);
      ::_exit(run_map_program("newuidmap", self, wide_uids) && run_map_program("newgidmap", self, wide_gids) ? 0 : 1);
    }
  }

  const int unshared = ::unshare(CLONE_NEWUSER);
  const int unshare_errno = errno;
  bool mapped_widely = false;
  if (mapper > 0) {
    if (unshared == 0 && ::write(gate_write.get(), "g", 1) != 1) return system_error("start the id mapper", errno);
    gate_write.reset();
    int status = 0;
    ::waitpid(mapper, &status, 0);
    mapped_widely = unshared == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  if (unshared != 0) return system_error("unshare a user namespace", unshare_errno);

  if (mapped_widely) {
    privilege.uids = wide_uids;
    privilege.gids = wide_gids;
  } else {
    // user_namespaces(7): without privileges setgroups must be denied before the gid map is written.
    if (auto done = write_file("/proc/self/setgroups", "deny"); !done) return done.error();
    if (auto done = write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid)); !done) return done.error();
    if (auto done = write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid)); !done) return done.error();
  }
  // An AppArmor rule may let the namespace be made and take its capabilities away (Ubuntu 23.10 and later).
  if (!has_capabilities())
    return Error{"the kernel made a user namespace but gave it no capabilities",
                 std::make_error_code(std::errc::operation_not_permitted)};
  // proc(5): a change of credentials makes /proc/self belong to root until the flag is set again; the socket
  // inventory and `ssh console` read /proc of our children.
  ::prctl(PR_SET_DUMPABLE, 1);
  return privilege;
}

}  // namespace flylocal::netns
