#include "flylocal/report/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "flylocal/report/program_table.hpp"

namespace flylocal::report {
namespace {

using Words = std::vector<std::string_view>;

constexpr std::size_t kNameLimit = 15;   // of /proc/PID/comm: TASK_COMM_LEN - 1, proc(5)
constexpr int kMostWrappers = 8;         // sh -c "exec env A=1 tini -- npx vite" has four
constexpr std::string_view kDigitsAndDots = "0123456789.";

// ---- Words

Words split(std::string_view text, char separator = ' ') {
  Words words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

bool one_of(std::string_view list, std::string_view word) {
  const Words words = split(list);
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// `pattern` with "*" for any characters but "/".
bool fits(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() != '*') return !text.empty() && text.front() == pattern.front() && fits(pattern.substr(1), text.substr(1));
  for (std::size_t taken = 0; taken <= text.size(); ++taken) {
    if (fits(pattern.substr(1), text.substr(taken))) return true;
    if (taken < text.size() && text[taken] == '/') return false;
  }
  return false;
}

/// Whether the last parts of the path fit.
bool ends_like(std::string_view path, std::string_view pattern) {
  const Words parts = split(path, '/'), wanted = split(pattern, '/');
  return parts.size() >= wanted.size() &&
         std::equal(wanted.rbegin(), wanted.rend(), parts.rbegin(), [](std::string_view w, std::string_view part) { return fits(w, part); });
}

std::string_view basename_of(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

/// The name without a version at its end: python3.11, php-fpm8.2.
std::string_view without_version(std::string_view name) {
  const std::size_t last = name.find_last_not_of(kDigitsAndDots);
  return last == std::string_view::npos ? name : name.substr(0, last + 1);
}

/// The name without the extension of a script.
std::string_view without_extension(std::string_view name) {
  constexpr std::string_view kExtensions = "js mjs cjs jsx ts mts cts tsx py pyc rb ru pl psgi php phar jar";
  const std::size_t dot = name.rfind('.');
  return dot != std::string_view::npos && dot > 0 && one_of(kExtensions, name.substr(dot + 1)) ? name.substr(0, dot) : name;
}

/// The package that a file under node_modules belongs to, with its scope; empty for other files.
std::string_view package_of(std::string_view path) {
  constexpr std::string_view kFolder = "node_modules/";
  const std::size_t at = path.rfind(kFolder);
  if (at == std::string_view::npos) return {};
  path.remove_prefix(at + kFolder.size());
  std::size_t end = path.find('/');
  if (path.starts_with('@') && end != std::string_view::npos) end = path.find('/', end + 1);
  return path.substr(0, end);
}

// ---- Runtimes: which word of their command line is the script

struct Runtime {
  std::string_view name;      ///< as Rule::runtime has it
  std::string_view programs;  ///< their names, without versions
  std::string_view taking_a_value;  ///< options whose value is the next word
  std::string_view module;    ///< options whose value is a module, which is what runs
  std::string_view code;      ///< options whose value is the code to run, so that there is no script
  std::string_view commands;  ///< words that may stand before the script
};

constexpr Runtime kRuntimes[] = {
    {"node", "node nodejs", "-r --require --import --loader --experimental-loader -C --conditions --env-file --title --watch-path",
     "", "-e --eval -p --print -pe --run", ""},
    {"node", "bun", "-r --preload --cwd -c --config --env-file", "", "-e --eval -p --print", "run x"},
    {"node", "deno", "-c --config --import-map --port --host --cert --lock --location -L --log-level --seed", "", "", "run serve"},
    {"python", "python pypy", "-X -W --check-hash-based-pycs", "-m", "-c", ""},
    {"ruby", "ruby jruby", "-I -r -C -E", "", "-e", ""},
    {"perl", "perl", "-I", "", "-e -E", ""},
    {"php", "php", "-c -d -t -S", "-f", "-r", ""},
    {"java", "java", "-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports --add-reads",
     "-jar -m --module", "", ""},
    {"erlang", "beam.smp beam erl", "", "", "", ""},
};

const Runtime* runtime_named(std::string_view program) {
  for (const Runtime& runtime : kRuntimes)
    if (one_of(runtime.programs, program) || one_of(runtime.programs, without_version(program))) return &runtime;
  return nullptr;
}

// ---- A command line, taken apart

struct Command {
  std::string_view runtime;    ///< empty for a program of its own
  Words names;                 ///< of the program
  Words scripts;               ///< of what the runtime runs
  Words paths;                 ///< of both
  Words arguments;             ///< all after the program
  std::string_view command;    ///< the first argument of the program or script that is no option
  bool from_search_path = false;  ///< the program was found in PATH or in a bin directory
};

void add_name(Command& command, std::string_view name) {
  command.names.push_back(name);
  command.names.push_back(without_version(name));
}

void add_script(Command& command, std::string_view script) {
  command.paths.push_back(script);
  // Deno's way to name a package: npm:vite@5
  if (script.starts_with("npm:")) {
    script.remove_prefix(4);
    script = script.substr(0, script.find('@', 1));
  }
  command.scripts.push_back(without_extension(basename_of(script)));
  if (const std::string_view package = package_of(script); !package.empty()) command.scripts.push_back(package);
}

std::string_view first_word(Words::const_iterator begin, Words::const_iterator end) {
  const auto found = std::find_if(begin, end, [](std::string_view word) { return !word.starts_with('-'); });
  return found == end ? std::string_view{} : *found;
}

/// Finds what the runtime runs, and the first argument of that.
void find_script(Command& command, const Runtime& runtime) {
  const Words& words = command.arguments;
  bool ran = false;  // "bun run WORD": a script of package.json rather than a program
  for (auto word = words.begin(); word != words.end(); ++word) {
    const bool last = std::next(word) == words.end();
    if (one_of(runtime.code, *word)) {
      if (!last) command.command = first_word(std::next(word, 2), words.end());
      return;
    }
    if (one_of(runtime.module, *word) && !last) {
      add_script(command, *std::next(word));
      // A module of Python or a class of Java has dots, and no extension.
      command.scripts.push_back(*std::next(word));
      command.command = first_word(std::next(word, 2), words.end());
      return;
    }
    if (one_of(runtime.taking_a_value, *word)) {
      if (last) return;
      ++word;
      continue;
    }
    if (word->starts_with('-')) continue;
    if (one_of(runtime.commands, *word)) {
      ran = *word == "run";
      continue;
    }
    command.command = first_word(std::next(word), words.end());
    if (ran && word->find_first_of("/.:") == std::string_view::npos) return;
    add_script(command, *word);
    if (runtime.name == "java") command.scripts.push_back(*word);
    return;
  }
}

Command take_apart(const Words& words) {
  Command command;
  const std::string_view program = words.front();
  const std::string_view name = basename_of(program);
  command.paths.push_back(program);
  command.arguments.assign(words.begin() + 1, words.end());
  const Words parts = split(program, '/');
  command.from_search_path =
      program.find('/') == std::string_view::npos || (parts.size() > 1 && one_of("bin .bin sbin", parts[parts.size() - 2]));
  add_name(command, name);
  if (const Runtime* runtime = runtime_named(name)) {
    command.runtime = runtime->name;
    find_script(command, *runtime);
  } else {
    command.command = first_word(command.arguments.begin(), command.arguments.end());
  }
  return command;
}

// ---- Which row

bool any_of(const Words& words, std::string_view list) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return one_of(list, word); });
}

bool matches(const Rule& rule, const Command& command) {
  const bool names_nothing = rule.names.empty() && rule.scripts.empty() && rule.paths.empty();
  if (names_nothing && rule.arguments.empty() && rule.command.empty()) return false;  // an unused one of the row's rules

  const bool hosted = rule.runtime == command.runtime && !rule.runtime.empty();
  const bool native = rule.runtime.empty() && command.runtime.empty();
  // A tool's own process can carry its name, too: a title that it gave itself, or a command that was not executed yet.
  const bool own = command.runtime.empty() && (rule.runtime.empty() || command.from_search_path) && any_of(command.names, rule.names);
  const bool is_runtime = rule.runtime.empty() && !command.runtime.empty() && any_of(command.names, rule.names);
  const bool script = hosted && (any_of(command.scripts, rule.names) || any_of(command.scripts, rule.scripts));
  const Words patterns = split(rule.paths);
  const bool path = (hosted || native) && std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
    return std::any_of(command.paths.begin(), command.paths.end(), [&](std::string_view one) { return ends_like(one, pattern); });
  });
  if (!own && !is_runtime && !script && !path && !(names_nothing && hosted)) return false;

  if (rule.command == "-") {
    if (!command.arguments.empty()) return false;
  } else if (!rule.command.empty() && !one_of(rule.command, command.command)) {
    return false;
  }
  const Words wanted = split(rule.arguments);
  return wanted.empty() || std::any_of(command.arguments.begin(), command.arguments.end(), [&](std::string_view argument) {
    const std::string_view key = argument.substr(0, argument.find('='));
    return std::any_of(wanted.begin(), wanted.end(), [&](std::string_view pattern) { return fits(pattern, key); });
  });
}

const Program* program_of(const Command& command) {
  const auto rows = program_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) {
    return std::any_of(std::begin(one.rules), std::end(one.rules), [&](const Rule& rule) { return matches(rule, command); });
  });
  return row == rows.end() ? nullptr : &programs()[static_cast<std::size_t>(row - rows.begin())];
}

// ---- Programs that start others

/// `words` are those of `program [commands] [options] [operands] PROGRAM...`.
struct Wrapper {
  std::string_view programs;
  std::string_view commands;        ///< of which one has to follow; empty: none
  std::string_view taking_a_value;  ///< options whose value is the next word
  int operands = 0;                 ///< words that are neither
};

constexpr Wrapper kWrappers[] = {
    {"exec nohup setsid time tini-static dumb-init catatonit opentelemetry-instrument ddtrace-run", "", "", 0},
    {"tini docker-init", "", "-e -p", 0},
    {"env", "", "-u --unset -C --chdir", 0},
    {"nice stdbuf", "", "-n -i -o -e", 0},
    {"gosu su-exec", "", "", 1},
    {"npx bunx pnpx", "", "-p --package", 0},
    {"npm", "exec x", "-p --package", 0},
    {"pnpm yarn", "exec dlx", "--package -p", 0},
    {"bundle", "exec", "", 0},
    {"uv", "run", "--with --python -p --extra --group --env-file --directory --project", 0},
    {"poetry pipenv pdm rye hatch", "run", "", 0},
    {"doppler dotenvx infisical", "run", "-f --env-file -p --project -c --config -t --token", 0},
};

constexpr std::string_view kPackageRunners = "npx bunx pnpx npm pnpm yarn";
constexpr std::string_view kShells = "sh bash dash ash zsh ksh";

bool is_assignment(std::string_view word) {
  const std::size_t at = word.find('=');
  return at != std::string_view::npos && at > 0 && word.find('/') > at && !word.starts_with('-');
}

/// The command line that a wrapper starts; nothing if the words are no wrapper's.
Words unwrapped(const Words& words) {
  const std::string_view name = basename_of(words.front());
  const auto wrapper =
      std::find_if(std::begin(kWrappers), std::end(kWrappers), [&](const Wrapper& one) { return one_of(one.programs, name); });
  if (wrapper == std::end(kWrappers)) return {};
  std::size_t at = 1;
  if (!wrapper->commands.empty()) {
    if (at >= words.size() || !one_of(wrapper->commands, words[at])) return {};
    ++at;
  }
  int operands = wrapper->operands;
  for (; at < words.size(); ++at) {
    if (words[at] == "--") {
      ++at;
      break;
    }
    if (one_of(wrapper->taking_a_value, words[at])) {
      ++at;
    } else if (!words[at].starts_with('-') && !is_assignment(words[at])) {
      if (operands-- == 0) break;
    }
  }
  return at < words.size() ? Words(words.begin() + static_cast<std::ptrdiff_t>(at), words.end()) : Words{};
}

/// The text that `sh -c TEXT` is given; empty for other words.
std::string_view shell_text(const Words& words) {
  std::size_t at = 0;
  if (basename_of(words[0]) == "busybox") at = 1;
  if (at >= words.size() || !one_of(kShells, basename_of(words[at]))) return {};
  for (++at; at < words.size() && words[at].starts_with('-'); ++at) {
    const bool takes_text = !words[at].starts_with("--") && words[at].find('c') != std::string_view::npos;  // -c, -lc, -ec
    if (takes_text && at + 1 < words.size()) return words[at + 1];
  }
  return {};
}

/// The simple commands of a shell's text, with quotes taken away: no more of its grammar than it takes to find programs.
std::vector<std::vector<std::string>> shell_commands(std::string_view text) {
  std::vector<std::vector<std::string>> commands(1);
  std::string word;
  bool in_word = false;
  char quote = 0;
  auto end_word = [&] {
    if (in_word) commands.back().push_back(std::exchange(word, {}));
    in_word = false;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && at + 1 < text.size()) {
      word += text[++at];
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      end_word();
    } else if (c == ';' || c == '&' || c == '|' || c == '\n' || c == '(' || c == ')') {
      end_word();
      if (!commands.back().empty()) commands.emplace_back();
    } else {
      word += c;
      in_word = true;
    }
  }
  end_word();
  return commands;
}

/// `comm` is empty for what is not a process of its own.
const Program* find_program(Words words, std::string_view comm, int wrappers) {
  constexpr std::string_view kKeywords = "do then else if while until ! {";
  while (!words.empty() && (is_assignment(words.front()) || one_of(kKeywords, words.front()))) words.erase(words.begin());
  if (words.empty() || wrappers > kMostWrappers) return nullptr;

  if (const std::string_view text = shell_text(words); !text.empty()) {
    // Of several commands the last is the server: what comes before prepares it.
    const Program* found = nullptr;
    for (const auto& command : shell_commands(text))
      if (const Program* program = find_program(Words(command.begin(), command.end()), {}, wrappers + 1)) found = program;
    return found;
  }
  if (const Words inner = unwrapped(words); !inner.empty()) {
    Command command = take_apart(inner);
    if (!one_of(kPackageRunners, basename_of(words.front())) || !command.runtime.empty()) return find_program(inner, {}, wrappers + 1);
    // npx serve: a package of Node.js, and not a program of that name; with its version perhaps.
    command.runtime = "node";
    command.scripts = command.names;
    command.scripts.push_back(inner.front().substr(0, inner.front().find('@', 1)));
    return program_of(command);
  }
  if (one_of(kShells, basename_of(words.front()))) return nullptr;  // a script, whose name says nothing

  Command command = take_apart(words);
  if (!comm.empty()) {
    if (command.runtime.empty()) {
      add_name(command, comm);
    } else {
      command.scripts.push_back(without_extension(comm));  // a script that #! started
    }
  }
  return program_of(command);
}

}  // namespace

const Program* recognise(const ProgramTraits& process) {
  Words words;
  for (const std::string& word : process.command_line)
    if (!word.empty()) words.push_back(word);
  // A program that overwrites its arguments leaves one text: "nginx: master process ...", "puma 6.4.2 (tcp://...)".
  // A path with a space in it is none.
  if (!words.empty() && words[0].find(' ') < words[0].find('/')) words = split(words[0]);

  std::string_view comm = process.name;
  if (words.empty()) words = split(comm);
  if (words.empty()) return nullptr;
  if (words[0].size() > 1 && words[0].ends_with(':')) words[0].remove_suffix(1);
  if (words[0].size() > 1 && words[0].starts_with('-')) words[0].remove_prefix(1);  // a login shell

  // Only a name that differs says more. The kernel cuts it, and one with spaces is a title's beginning.
  const std::string_view program = basename_of(words[0]);
  if (program == comm || (comm.size() == kNameLimit && program.starts_with(comm))) comm = {};
  const Words title = split(comm);
  comm = title.empty() ? std::string_view{} : title[0];
  return find_program(std::move(words), comm, 0);
}

std::span<const Program> programs() {
  static const std::vector<Program> kAll = [] {
    std::vector<Program> all;
    for (const Row& row : program_rows())
      all.push_back({row.id, row.title, row.listen, row.six_pn, row.port, row.hosts, row.udp, row.client});
    return all;
  }();
  return kAll;
}

std::string with_port(std::string_view text, std::uint16_t port) {
  constexpr std::string_view kPlaceholder = "{port}";
  std::string filled;
  while (true) {
    const std::size_t at = text.find(kPlaceholder);
    filled += text.substr(0, at);
    if (at == std::string_view::npos) return filled;
    filled += fmt::format("{}", port);
    text.remove_prefix(at + kPlaceholder.size());
  }
}

}  // namespace flylocal::report
