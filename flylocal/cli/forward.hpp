#pragma once

#include <string>

namespace flylocal::cli {

struct ForwardOptions {
  std::string ports;  ///< "LOCAL:REMOTE", or one number for both
  std::string app, machine;
  std::string bind_address = "127.0.0.1";
};

/// `flylocal proxy`: a local port whose connections go to a machine's 6PN address, until interrupted.
int forward_port(const ForwardOptions& options);

}  // namespace flylocal::cli
