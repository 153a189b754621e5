#pragma once

#include <string>

namespace flylocal::cli {

struct DigOptions {
  std::string name;
  std::string type = "AAAA";
  std::string app;     ///< asks on this app's network
  bool tcp = false;
  bool brief = false;  ///< the records' data only
};

/// `flylocal dig`: asks the sandbox's resolver as a machine on the network would, and prints the answer in the
/// master-file form that dig users expect.
int dig(const DigOptions& options);

}  // namespace flylocal::cli
