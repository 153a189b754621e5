#pragma once

#include <string>

namespace flylocal::cli {

struct ExplainOptions {
  std::string code;  ///< empty: list all
  bool json = false;
};

/// `flylocal explain [CODE]`: what a verdict of the bind report means. Needs no sandbox.
int explain(const ExplainOptions& options);

struct ExplainNameOptions {
  std::string name;
  std::string app;  ///< whose machine asks; empty: the first app's
  bool json = false;
};

/// `flylocal explain dns NAME`: why a name has an address in the running sandbox, or none. kProblem when it has none.
int explain_name(const ExplainNameOptions& options);

}  // namespace flylocal::cli
