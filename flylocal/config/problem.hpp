#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace flylocal::config {

/// One thing to say about a configuration file. All problems of a file are collected and shown together.
struct Problem {
  enum class Severity {
    kError,    ///< the file cannot be used
    kWarning,  ///< it can, but probably does not mean what was intended
    kNotice,   ///< worth knowing; nothing to change
  };
  Severity severity = Severity::kError;
  std::string file;
  int line = 0;              ///< from 1; 0 when the problem is of the file as a whole
  int column = 0;            ///< from 1, in characters
  std::string key{};         ///< dotted path, e.g. services[0].ports[1].handlers
  std::string found{};       ///< what the file says there, as the file writes it
  std::string allowed{};     ///< what may stand there
  std::string message{};     ///< the problem in words, where found and allowed do not say it all
  std::string suggestion{};  ///< a sentence with the next step
};

std::string_view name(Problem::Severity severity);

/// One line: `fly.toml:12:5: error: services[0].internal_port: found "80a", allowed: a port from 1 to 65535`.
/// Control characters of the file are shown escaped.
std::string render(const Problem& problem);

/// An object with the fields of Problem under their names; empty fields are left out.
boost::json::value to_json(const Problem& problem);

bool has_errors(const std::vector<Problem>& problems);

}  // namespace flylocal::config
