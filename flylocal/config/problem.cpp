#include "flylocal/config/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>

#include "flylocal/config/quotes.hpp"

namespace flylocal::config {

std::string_view name(Problem::Severity severity) {
  switch (severity) {
    case Problem::Severity::kError:
      return "error";
    case Problem::Severity::kWarning:
      return "warning";
    case Problem::Severity::kNotice:
      return "notice";
  }
  return "error";
}

std::string render(const Problem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) out += fmt::format(":{}:{}", problem.line, problem.column);
  out += fmt::format(": {}: ", name(problem.severity));
  if (!problem.key.empty()) out += problem.key + ": ";
  std::string facts;
  if (!problem.found.empty()) facts += "found " + problem.found;
  if (!problem.allowed.empty()) facts += (facts.empty() ? "allowed: " : ", allowed: ") + problem.allowed;
  if (problem.message.empty()) {
    out += facts;
  } else {
    out += problem.message;
    if (!facts.empty()) out += " (" + facts + ")";
  }
  if (!problem.suggestion.empty()) out += ". " + problem.suggestion;
  return escaped(out);
}

boost::json::value to_json(const Problem& problem) {
  boost::json::object out;
  out["severity"] = name(problem.severity);
  out["file"] = problem.file;
  if (problem.line > 0) {
    out["line"] = problem.line;
    out["column"] = problem.column;
  }
  auto add = [&out](std::string_view field, const std::string& text) {
    if (!text.empty()) out[field] = text;
  };
  add("key", problem.key);
  add("found", problem.found);
  add("allowed", problem.allowed);
  add("message", problem.message);
  add("suggestion", problem.suggestion);
  return out;
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& p) { return p.severity == Problem::Severity::kError; });
}

}  // namespace flylocal::config
