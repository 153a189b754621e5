#pragma once

#include <string>
#include <vector>

namespace flylocal::netns {

/// One thing that flylocal needs of the kernel, tried for real.
struct SupportCheck {
  std::string name;  ///< e.g. "user namespace"
  enum class Outcome { kOk, kDegraded, kFailed } outcome;
  std::string found;               ///< what happened, with the kernel's reason
  std::vector<std::string> ways_out;  ///< each a complete remedy; empty when ok
};

/// Tries, in a child process that then ends, everything a sandbox does: privilege, namespaces, bridge, veth,
/// mounts, socket diagnostics. Stops at the first thing that nothing after it can do without. Leaves no trace.
std::vector<SupportCheck> check_support();

}  // namespace flylocal::netns
