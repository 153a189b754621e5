#include "flylocal/cli/completion.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <vector>

namespace flylocal::cli {
namespace {

const std::vector<std::string> kShells{"bash", "zsh", "fish"};

/// What may follow a command path like "machine start".
struct Follow {
  std::vector<std::string> words;
  bool machine_ids = false;
};
using Commands = std::map<std::string, Follow>;

void collect(const CLI::App& app, const std::string& path, Commands& commands) {
  Follow& here = commands[path];
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    here.words.push_back(sub->get_name());
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), commands);
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) here.words.push_back("--" + name);
    if (option->get_name() == "ID") here.machine_ids = true;
    if (option->get_name() == "SHELL") here.words.insert(here.words.end(), kShells.begin(), kShells.end());
  }
}

// The columns of `flylocal machine list`.
constexpr int kIdColumn = 1, kAppColumn = 2;

std::string bash_function(const Commands& commands) {
  std::vector<std::string> paths;
  std::string cases;
  for (const auto& [path, follow] : commands) {
    if (!path.empty()) paths.push_back("\"" + path + "\"");
    cases += fmt::format("    \"{}\") words=\"{}{}\" ;;\n", path, fmt::join(follow.words, " "),
                         follow.machine_ids ? fmt::format(" $(_flylocal_column {})", kIdColumn) : "");
  }
  return fmt::format(
      "_flylocal_column() {{ flylocal machine list 2>/dev/null | awk -v column=\"$1\" 'NR > 1 {{ print $column }}' | sort -u; }}\n"
      "_flylocal() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" path=\"\" words=\"\" i next\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${{path:+$path }}${{COMP_WORDS[i]}}\"\n"
      "    case \"$next\" in {}) path=\"$next\" ;; esac\n"
      "  done\n"
      "  case \"$path\" in\n{}  esac\n"
      "  case \"${{COMP_WORDS[COMP_CWORD - 1]}}\" in\n"
      "    -a|--app) words=\"$(_flylocal_column {})\" ;;\n"
      "    --machine) words=\"$(_flylocal_column {})\" ;;\n"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n",
      fmt::join(paths, "|"), cases, kAppColumn, kIdColumn);
}

std::string fish_script(const Commands& commands) {
  std::string text =
      "function __flylocal_column; flylocal machine list 2>/dev/null | awk -v column=$argv[1] 'NR > 1 { print $column }' | sort -u; end\n"
      "complete -c flylocal -e\ncomplete -c flylocal -f\n";
  for (const auto& [path, follow] : commands) {
    std::string condition = path.empty() ? "__fish_use_subcommand" : "";
    for (std::size_t begin = 0; !path.empty() && begin < path.size();) {
      const std::size_t end = std::min(path.find(' ', begin), path.size());
      condition += (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") + path.substr(begin, end - begin);
      begin = end + 1;
    }
    const std::string start = fmt::format("complete -c flylocal -n '{}'", condition);
    for (const std::string& word : follow.words) {
      if (word == "--app") text += fmt::format("{} -s a -l app -x -a '(__flylocal_column {})'\n", start, kAppColumn);
      else if (word == "--machine") text += fmt::format("{} -l machine -x -a '(__flylocal_column {})'\n", start, kIdColumn);
      else if (word.starts_with("--")) text += fmt::format("{} -l {}\n", start, word.substr(2));
      else text += fmt::format("{} -a {}\n", start, word);
    }
    if (follow.machine_ids) text += fmt::format("{} -a '(__flylocal_column {})'\n", start, kIdColumn);
  }
  return text;
}

}  // namespace

std::optional<std::string> completion_script(const CLI::App& program, const std::string& shell) {
  Commands commands;
  collect(program, "", commands);
  if (shell == "bash") return bash_function(commands) + "complete -o default -F _flylocal flylocal\n";
  if (shell == "zsh") return "autoload -U compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n" + bash_function(commands) + "complete -o default -F _flylocal flylocal\n";
  if (shell == "fish") return fish_script(commands);
  return std::nullopt;
}

}  // namespace flylocal::cli
