#pragma once

#include <span>
#include <string_view>

namespace flylocal::report {

/// How a process is told to be of a row. A field holds several words with spaces between them, of which one has to fit;
/// an empty field asks for nothing. Words are compared as a whole; in `arguments` and `paths` "*" stands for any characters
/// but "/".
struct Rule {
  /// Who runs it: "node" (which Bun and Deno are, too), "python", "ruby", "perl", "php", "java" or "erlang". Empty: a program
  /// of its own, so that a script of the same name does not count.
  std::string_view runtime = {};
  std::string_view names = {};    ///< of the program, or of the script, module or package that the runtime runs
  std::string_view scripts = {};  ///< the same, where a program of that name may be anything
  std::string_view paths = {};    ///< the last parts of the path of the program or script
  std::string_view command = {};  ///< its first argument that is no option; "-": it has none
  std::string_view arguments = {};  ///< anywhere among its arguments, up to "="
};

/// One kind of server. The texts are those of Program (program.hpp).
struct Row {
  std::string_view id;
  std::string_view title;
  std::string_view listen = {};
  std::string_view six_pn = {};
  std::string_view port = {};
  std::string_view hosts = {};
  std::string_view udp = {};
  std::string_view client = {};
  Rule rules[3] = {};  ///< a process that fits one of them is of this row
};

/// The table. The first row that a process fits is its row, so a framework has to stand before its runtime.
std::span<const Row> program_rows();

}  // namespace flylocal::report
