#pragma once

#include <string>
#include <vector>

#include "flylocal/base/result.hpp"

namespace flylocal::netns {

/// A file that a guest sees with content of its own, e.g. /etc/hosts.
struct GuestFile {
  std::string path;
  std::string content;
};

/// A directory of the host that a guest sees at `destination`, which need not exist on the host.
struct BindMount {
  std::string source;
  std::string destination;
};

/// One thing that a guest's init does to its own mount namespace. Plain data, so that init, which must not
/// allocate, can walk through it.
struct MountStep {
  enum class Op {
    kMakeDirectory,  ///< target
    kWriteFile,      ///< target, content in source
    kSymlink,        ///< target, pointing at source
    kBind,           ///< source with all below it at target
    kTmpfs,          ///< target, mount data in source
    kProc,           ///< target
    kSysfs,          ///< target
    kMqueue,         ///< target
    kPivotRoot,      ///< target becomes /, what was / is at source
    kDetach,         ///< target is unmounted, with all below it
  };
  Op op;
  std::string source;
  std::string target;
  /// A step that a container may forbid and a guest can live without is skipped when it fails.
  enum class Need { kRequired, kOptional } need = Need::kRequired;
};

/// What `step` does, for messages: "bind /a at /b".
std::string describe(const MountStep& step);

/// Plans a guest's view of the file system: the host's, with `files` and `binds` over it, its own /proc, /sys,
/// /dev/shm and /dev/mqueue.
///
/// A destination that is missing on the host is made in the guest's view only: the deepest directory above it
/// that exists is covered by a tmpfs in which everything that was there is bound again and the missing names are
/// added. For a missing name in / this needs a new root. /proc serves as the scratch place meanwhile, since it
/// exists everywhere and the guest's own covers it in the end.
///
/// Reads the host's file system; changes nothing. Errors: a destination that is relative, /, below /proc, or of
/// another kind on the host.
Result<std::vector<MountStep>> plan_mounts(const std::vector<GuestFile>& files, const std::vector<BindMount>& binds);

}  // namespace flylocal::netns
