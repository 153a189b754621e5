#include "flylocal/launch/file_problem.hpp"

namespace flylocal::launch {

std::string render(const FileProblem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += ":" + std::to_string(problem.line);
  if (problem.line > 0 && problem.column > 0) text += ":" + std::to_string(problem.column);
  text += ": ";
  if (!problem.key.empty()) text += problem.key + ": ";
  return text + problem.message;
}

std::string render(const std::vector<FileProblem>& problems) {
  std::string text;
  for (const FileProblem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += render(problem);
  }
  return text;
}

}  // namespace flylocal::launch
