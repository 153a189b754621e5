#include "flylocal/cli/completion.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <vector>

namespace flylocal::cli {
namespace {

/// Words that may follow a command path like "machine start".
using Words = std::map<std::string, std::vector<std::string>>;

void collect(const CLI::App& app, const std::string& path, Words& words) {
  std::vector<std::string>& here = words[path];
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    here.push_back(sub->get_name());
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), words);
  }
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) here.push_back("--" + name);
}

std::string bash_function(const Words& words) {
  std::string cases;
  for (const auto& [path, follow] : words) cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, fmt::join(follow, " "));
  return fmt::format(
      "_flylocal() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" path=\"\" words=\"\" i next\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${{path:+$path }}${{COMP_WORDS[i]}}\"\n"
      "    case \"$next\" in {}) path=\"$next\" ;; esac\n"
      "  done\n"
      "  case \"$path\" in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n",
      [&] {
        std::vector<std::string> paths;
        for (const auto& [path, follow] : words)
          if (!path.empty()) paths.push_back("\"" + path + "\"");
        return fmt::format("{}", fmt::join(paths, "|"));
      }(),
      cases);
}

std::string fish_script(const Words& words) {
  std::string text = "complete -c flylocal -e\ncomplete -c flylocal -f\n";
  for (const auto& [path, follow] : words) {
    std::string condition = path.empty() ? "__fish_use_subcommand" : "";
    for (std::size_t begin = 0; !path.empty() && begin < path.size();) {
      const std::size_t end = std::min(path.find(' ', begin), path.size());
      condition += (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") + path.substr(begin, end - begin);
      begin = end + 1;
    }
    for (const std::string& word : follow)
      text += word.starts_with("--") ? fmt::format("complete -c flylocal -n '{}' -l {}\n", condition, word.substr(2))
                                     : fmt::format("complete -c flylocal -n '{}' -a {}\n", condition, word);
  }
  return text;
}

}  // namespace

std::optional<std::string> completion_script(const CLI::App& program, const std::string& shell) {
  Words words;
  collect(program, "", words);
  if (shell == "bash") return bash_function(words) + "complete -o default -F _flylocal flylocal\n";
  if (shell == "zsh") return "autoload -U compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n" + bash_function(words) + "complete -o default -F _flylocal flylocal\n";
  if (shell == "fish") return fish_script(words);
  return std::nullopt;
}

}  // namespace flylocal::cli
