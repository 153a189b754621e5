#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/launch/file_problem.hpp"

namespace flylocal::launch {

/// The secrets of an app on this host. Messages never show a value.
struct SecretsReading {
  std::map<std::string, std::string> secrets;  ///< Empty when there are problems.
  std::vector<FileProblem> problems;
};

/// Reads the dotenv form: NAME=VALUE lines, an optional leading `export`, '#' comments on their own line or
/// after a blank. 'Single quotes' keep everything; "double quotes" know \n \r \t \" \\ \$; both may span
/// lines. Nothing is expanded: $ is an ordinary character. A name that is given twice is a problem.
SecretsReading read_secrets(std::string_view text, const std::string& file_name);

/// The same for a file of at most 1 MiB; one that cannot be read is a problem.
SecretsReading load_secrets(const std::filesystem::path& path);

}  // namespace flylocal::launch
