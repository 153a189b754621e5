#include "netns/network_namespace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdlib>

namespace flylocal::netns {
namespace {

Result<UniqueFd> open_namespace(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open " + path, errno);
  return fd;
}

}  // namespace

Result<NetworkNamespace> NetworkNamespace::current() {
  auto fd = open_namespace("/proc/thread-self/ns/net");
  if (!fd) return fd.error();
  return NetworkNamespace(std::move(*fd));
}

Result<NetworkNamespace> NetworkNamespace::of_process(pid_t pid) {
  auto fd = open_namespace(fmt::format("/proc/{}/ns/net", pid));
  if (!fd) return fd.error();
  return NetworkNamespace(std::move(*fd));
}

Result<NetworkNamespace> NetworkNamespace::enter_new() {
  if (::unshare(CLONE_NEWNET) != 0) return system_error("unshare a network namespace", errno);
  return current();
}

Result<NetworkNamespace> NetworkNamespace::create() {
  // A visit to where we are: its end brings the thread back from the new namespace.
  auto here = current();
  if (!here) return here.error();
  auto visit = NamespaceVisit::to(*here);
  if (!visit) return visit.error();
  return enter_new();
}

Result<> NetworkNamespace::enter() const {
  if (::setns(fd_.get(), CLONE_NEWNET) != 0) return system_error("setns into a network namespace", errno);
  return {};
}

Result<NamespaceVisit> NamespaceVisit::to(const NetworkNamespace& visited) {
  auto home = open_namespace("/proc/thread-self/ns/net");
  if (!home) return home.error();
  if (auto entered = visited.enter(); !entered) return entered.error();
  return NamespaceVisit(std::move(*home));
}

NamespaceVisit::~NamespaceVisit() {
  if (!home_) return;
  if (::setns(home_.get(), CLONE_NEWNET) != 0) {
    spdlog::critical("a thread could not leave a machine's network namespace: {}", system_error("setns", errno).message);
    std::abort();
  }
}

}  // namespace flylocal::netns
