#include <algorithm>

#include "flylocal/config/closest_name.hpp"
#include "flylocal/config/env_text.hpp"
#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"

/// [processes], [env], and what all entries with process groups and commands share.
namespace flylocal::config {
namespace {

/// Whether quotes and backslashes end where the words of a command line end; else what does not.
std::string unfinished_quoting(std::string_view command) {
  enum class In { kNothing, kSingle, kDouble };
  In in = In::kNothing;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\\' && in != In::kSingle) {
      if (++i == command.size()) return "it ends in a backslash";
    } else if (in == In::kNothing && c == '#' &&
               (i == 0 || command[i - 1] == ' ' || command[i - 1] == '\t')) {
      // flyctl's word splitter takes the rest of the line as a comment.
      while (i + 1 < command.size() && command[i + 1] != '\n') ++i;
    } else if (c == '\'' && in != In::kDouble) {
      in = in == In::kSingle ? In::kNothing : In::kSingle;
    } else if (c == '"' && in != In::kSingle) {
      in = in == In::kDouble ? In::kNothing : In::kDouble;
    }
  }
  if (in == In::kSingle) return "a single quote is not closed";
  if (in == In::kDouble) return "a double quote is not closed";
  return {};
}

void read_process_list(const Field& section, std::map<std::string, std::string>& out) {
  for (const Field& item : section.tables(TableShape::kListOnly)) {
    TableFields entry(item);
    const auto name_field = entry.require("name", "name = \"app\"");
    const auto command_field = entry.find("command");
    const auto name = name_field ? name_field->text_not_empty() : std::nullopt;
    const auto command = command_field ? read_command(*command_field) : std::optional<std::string>("");
    entry.report_unknown();
    if (!name || !command) continue;
    if (!out.emplace(*name, *command).second) name_field->error("this process group is already listed");
  }
}

void read_env_table(const Field& table, std::map<std::string, std::string>& out) {
  if (!table.node().table()) {
    table.wrong("a table of variables, NAME = \"value\"");
    return;
  }
  for (const auto& [name, field] : TableFields(table).all()) {
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      field.error("not usable as the name of an environment variable",
                  "A name is not empty and has no = in it");
      continue;
    }
    if (name.starts_with("FLY_")) {
      field.warning("names that begin with FLY_ belong to the platform, which overrides them",
                    "Choose another name");
    }
    if (std::holds_alternative<std::string>(field.node().value)) {
      if (auto value = field.text()) out.insert_or_assign(name, std::move(*value));
      continue;
    }
    std::string value = env_text(field.node());
    if (field.node().array() || field.node().table() ||
        std::holds_alternative<TomlDateTime>(field.node().value)) {
      field.warning(fmt::format("variables are text: the app will see {}", in_quotes(value)),
                    "Write the text that you mean in quotes");
    }
    if (value.find('\0') != std::string::npos) {
      field.wrong("text without a NUL character");
      continue;
    }
    out.insert_or_assign(name, std::move(value));
  }
}

}  // namespace

std::optional<std::string> read_command(const Field& field) {
  auto command = field.text();
  if (!command) return std::nullopt;
  const std::string unfinished = unfinished_quoting(*command);
  if (!unfinished.empty()) {
    field.wrong("a command line with closed quotes", fmt::format("In this one, {}", unfinished));
    return std::nullopt;
  }
  return command;
}

std::map<std::string, std::string> read_processes(const Field& section) {
  std::map<std::string, std::string> out;
  if (section.node().array()) {
    read_process_list(section, out);
    return out;
  }
  if (!section.node().table()) {
    section.wrong("a table [processes] of NAME = \"command\"");
    return out;
  }
  for (const auto& [name, field] : TableFields(section).all()) {
    if (name.empty()) {
      field.error("a process group needs a name");
      continue;
    }
    if (auto command = read_command(field)) out.emplace(name, std::move(*command));
  }
  return out;
}

std::map<std::string, std::string> read_env(const Field& section) {
  std::map<std::string, std::string> out;
  if (section.node().array()) {
    for (const Field& item : section.items()) read_env_table(item, out);
  } else {
    read_env_table(section, out);
  }
  return out;
}

std::vector<std::string> read_group_list(TableFields& entry, const KnownGroups& groups,
                                         UnknownGroup consequence) {
  std::vector<std::string> out;
  const auto field = entry.find("processes");
  if (!field) return out;
  if (!field->node().array()) {
    field->texts();
    return out;
  }
  for (const Field& item : field->items()) {
    auto group = item.text();
    if (!group) continue;
    if (std::find(groups.names.begin(), groups.names.end(), *group) == groups.names.end()) {
      const std::vector<std::string_view> names(groups.names.begin(), groups.names.end());
      const std::string_view closest = closest_name(*group, names);
      const std::string advice = !closest.empty() ? fmt::format("Did you mean {}?", in_quotes(closest))
                                 : groups.declared
                                     ? fmt::format("The groups are: {}", fmt::join(groups.names, ", "))
                                     : "Without a [processes] section the only group is \"app\"";
      if (consequence == UnknownGroup::kError) {
        item.wrong("the name of a process group", advice);
      } else {
        item.warning(
            fmt::format("there is no process group {}, so nothing comes of this entry", in_quotes(*group)),
            advice);
      }
    }
    if (std::find(out.begin(), out.end(), *group) == out.end()) out.push_back(std::move(*group));
  }
  return out;
}

KillSignal read_kill_signal(const Field& field) {
  const auto signal = field.choice(kKillSignalNames);
  if (signal == KillSignal::kStop) {
    field.warning("SIGSTOP is in the manual, but the Machines API does not list it");
  }
  return signal.value_or(KillSignal::kInt);
}

Duration read_kill_timeout(const Field& field, IntegerMeans meaning) {
  constexpr Duration kDefault = std::chrono::seconds(5);
  const auto timeout = field.duration(meaning);
  if (!timeout) return kDefault;
  if (*timeout > std::chrono::seconds(300)) {
    field.wrong("at most 300 seconds");
    return kDefault;
  }
  return *timeout;
}

}  // namespace flylocal::config
