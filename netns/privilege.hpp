#pragma once

#include <cstdint>
#include <vector>

#include "flylocal/base/result.hpp"

namespace flylocal::netns {

/// One line of /proc/PID/uid_map: `count` ids from `inside` stand for those from `outside`. user_namespaces(7)
struct IdRange {
  std::uint32_t inside;
  std::uint32_t outside;
  std::uint32_t count;
};

/// By what right this process makes namespaces.
struct Privilege {
  enum class Kind {
    kCapable,        ///< it already had CAP_SYS_ADMIN and CAP_NET_ADMIN (root)
    kUserNamespace,  ///< it is root of a user namespace of its own
  };
  Kind kind = Kind::kCapable;
  /// What the namespace maps; empty for kCapable, where every id is itself.
  std::vector<IdRange> uids, gids;

  /// Whether a process of ours may become `uid` and `gid` (ids as seen inside).
  bool can_become(std::uint32_t uid, std::uint32_t gid) const;
};

/// Gains the right to make namespaces: nothing to do for root; otherwise enters a user namespace that maps the
/// caller to 0 and, where newuidmap(1) and /etc/subuid allow it, the subordinate ids from 1 up.
///
/// Must run before the process has a second thread (unshare(2): EINVAL otherwise). After it, the process may be
/// inspected by its own children's owner (PR_SET_DUMPABLE), as before. On failure nothing has changed that the
/// caller could not do itself; the Error tells which step the kernel refused.
Result<Privilege> acquire_privilege();

}  // namespace flylocal::netns
