#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/launch/file_problem.hpp"

namespace flylocal::launch {

struct InstructionFlag {
  std::string name;   ///< Without the dashes: from, chown, platform.
  std::string value;  ///< Empty for a flag like --link.
};

/// One instruction of a Dockerfile: its lines are joined, comments and heredoc bodies taken out.
struct Instruction {
  int line = 0;         ///< Where it begins.
  std::string keyword;  ///< In capitals; one that Docker knows.
  std::vector<InstructionFlag> flags;
  std::string rest;          ///< What follows the flags, without blanks at the ends.
  std::size_t heredocs = 0;  ///< How many <<NAME documents it has.
};

struct InstructionList {
  char escape = '\\';
  std::vector<Instruction> instructions;
  std::vector<FileProblem> problems;  ///< Unknown instructions, heredocs without an end, a wrong directive.
};

/// The lexical half of reading a Dockerfile: directives, comments, line continuations, heredocs, flags.
InstructionList split_instructions(std::string_view text, const std::string& file_name);

}  // namespace flylocal::launch
