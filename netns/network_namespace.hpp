#pragma once

#include <sys/types.h>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::netns {

/// A network namespace held by a descriptor: it lives while this, a thread or a socket is in it. Nothing is
/// pinned in the file system. network_namespaces(7)
class NetworkNamespace {
 public:
  /// The namespace of the calling thread.
  static Result<NetworkNamespace> current();
  /// The namespace of a process (by the caller's pid namespace).
  static Result<NetworkNamespace> of_process(pid_t pid);
  /// Moves the calling thread, and only it, into a new empty namespace and returns that.
  static Result<NetworkNamespace> enter_new();

  /// A new empty namespace without anyone in it.
  static Result<NetworkNamespace> create();

  /// Moves the calling thread into this namespace for good.
  Result<> enter() const;
  int fd() const { return fd_.get(); }

 private:
  explicit NetworkNamespace(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// While it lives the calling thread is in `visited`; afterwards it is back where it was. Sockets made
/// meanwhile stay in `visited`. Only for threads that never wait inside. A thread that cannot return would make
/// sockets in the wrong world, so that ends the process.
class NamespaceVisit {
 public:
  static Result<NamespaceVisit> to(const NetworkNamespace& visited);
  NamespaceVisit(NamespaceVisit&&) = default;
  NamespaceVisit& operator=(NamespaceVisit&&) = delete;
  ~NamespaceVisit();

 private:
  explicit NamespaceVisit(UniqueFd home) : home_(std::move(home)) {}
  UniqueFd home_;
};

}  // namespace flylocal::netns
