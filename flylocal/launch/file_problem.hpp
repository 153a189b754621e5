#pragma once

#include <string>
#include <vector>

namespace flylocal::launch {

/// What is wrong at one place of a file that the user wrote (flylocal.toml, a Dockerfile, a secrets file).
/// Readers collect all of a file's problems, so that one run shows everything there is to correct.
struct FileProblem {
  std::string file;
  int line = 0;         ///< From 1; 0 where the whole file is meant.
  int column = 0;       ///< From 1, in bytes; 0 where the whole line is meant.
  std::string key;      ///< Dotted path in a TOML file, e.g. machines[1].count; empty in other files.
  std::string message;  ///< What was found, what is allowed, what to do.
};

/// "flylocal.toml:4:9: machines[0].count: found -1, allowed: 0 to 1000", without the parts that are absent.
std::string render(const FileProblem& problem);

/// One problem a line.
std::string render(const std::vector<FileProblem>& problems);

}  // namespace flylocal::launch
