#pragma once

#include <string>

namespace flylocal::cli {

struct ExplainOptions {
  std::string code;  ///< empty: list all
  bool json = false;
};

/// `flylocal explain [CODE]`: what a verdict of the bind report means. Needs no sandbox.
int explain(const ExplainOptions& options);

}  // namespace flylocal::cli
