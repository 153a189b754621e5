#include "flylocal/launch/project_file.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <system_error>

#include "dns/resolv_conf.hpp"
#include "flylocal/config/closest_name.hpp"
#include "flylocal/config/toml_precheck.hpp"
#include "flylocal/launch/shell_words.hpp"
#include "flylocal/launch/text_file.hpp"

namespace flylocal::launch {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

std::string kind(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return node.is_array_of_tables() ? "an array of tables" : "a list";
    case toml::node_type::string:
      return fmt::format("\"{}\"", **node.as_string());
    case toml::node_type::integer:
      return std::to_string(**node.as_integer());
    case toml::node_type::floating_point:
      return fmt::format("{}", **node.as_floating_point());
    case toml::node_type::boolean:
      return **node.as_boolean() ? "true" : "false";
    default:
      return "a date or time";
  }
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

/// A lower-case name as certificates have them: letters, digits and hyphens in labels of at most 63 (RFC 1123 2.1), two
/// labels at least, the last of which no number has (that would be an address).
bool is_host_name(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::size_t kMaxName = 253, kMaxLabel = 63;
  if (name.size() > kMaxName || name.find('.') == std::string_view::npos) return false;
  std::string_view label;
  for (std::size_t begin = 0; begin <= name.size(); begin += label.size() + 1) {
    label = name.substr(begin, name.find('.', begin) - begin);
    const bool fits = !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.back() != '-' &&
                      std::all_of(label.begin(), label.end(), [&](char c) {
                        return c == '-' || kLower.find(c) != std::string_view::npos || kDigits.find(c) != std::string_view::npos;
                      });
    if (!fits) return false;
  }
  return label.find_first_not_of(kDigits) != std::string_view::npos;
}

/// The end of a host name that the platform, or the machine itself, answers for; empty where it is anybody's.
std::string_view own_top_of(std::string_view name) {
  for (const std::string_view top : {".internal", ".flycast", ".localhost", ".fly.dev"})
    if (name.ends_with(top) || name == top.substr(1)) return top.substr(1);
  return {};
}

class ProjectFileReader {
 public:
  explicit ProjectFileReader(const std::string& file_name) : file_name_(file_name) {}

  ProjectFileReading run(const toml::table& root) {
    static constexpr std::string_view kKeys[] = {"organization", "network",      "machines", "ports",  "edges",
                                                 "commands",     "secrets_file", "env",      "expect",   "ip_addresses",
                                                 "domains",      "dns",          "tls"};
    for (const auto& [key, node] : root) {
      const std::string name(key.str());
      if (name == "organization" || name == "network") {
        read_name(name, node);
      } else if (name == "machines") {
        read_tables(name, node, "count = 2",
                    [&](const std::string& path, const toml::table& table) { read_machines(path, table); });
      } else if (name == "expect") {
        read_tables(name, node, "6pn = 9090",
                    [&](const std::string& path, const toml::table& table) { read_expect(path, table); });
      } else if (name == "ports") {
        read_ports(node);
      } else if (name == "edges") {
        read_edges(node);
      } else if (name == "commands") {
        read_commands(node);
      } else if (name == "env") {
        read_env(node);
      } else if (name == "ip_addresses") {
        read_ip_addresses(node);
      } else if (name == "domains") {
        read_domains(name, node);
      } else if (name == "tls") {
        read_tls(node);
      } else if (name == "dns") {
        read_dns(node);
      } else if (name == "secrets_file") {
        read_secrets_file(node);
      } else {
        unknown_key(key, name, kKeys);
      }
    }
    ProjectFileReading reading;
    reading.problems = std::move(problems_);
    std::stable_sort(reading.problems.begin(), reading.problems.end(),
                     [](const FileProblem& a, const FileProblem& b) {
                       return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                     });
    if (reading.problems.empty()) reading.file = std::move(file_);
    return reading;
  }

 private:
  void problem(const toml::source_region& at, std::string key, std::string message) {
    problems_.push_back({file_name_, static_cast<int>(at.begin.line), static_cast<int>(at.begin.column),
                         std::move(key), std::move(message)});
  }

  void wrong(const toml::node& node, std::string key, std::string_view allowed) {
    problem(node.source(), std::move(key), fmt::format("found {}, allowed: {}", kind(node), allowed));
  }

  void unknown_key(const toml::key& key, std::string path, std::span<const std::string_view> known) {
    const std::string_view meant = config::closest_name(key.str(), known);
    std::string message = "unknown key";
    if (!meant.empty()) {
      message += fmt::format("; did you mean {}?", meant);
    } else {
      message += "; known here:";
      for (const std::string_view name : known)
        message += fmt::format("{} {}", name == known.front() ? "" : ",", name);
    }
    problem(key.source(), std::move(path), std::move(message));
  }

  static int line(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

  template <class Read>
  void read_tables(const std::string& name, const toml::node& node, std::string_view example, Read read) {
    const toml::array* tables = node.as_array();
    const bool fits = tables != nullptr && (tables->empty() || node.is_array_of_tables());
    if (!fits) {
      return wrong(node, name,
                   fmt::format("one table for each entry, written [[{}]] with lines like {}", name, example));
    }
    for (std::size_t i = 0; i < tables->size(); ++i)
      read(fmt::format("{}[{}]", name, i), *tables->get_as<toml::table>(i));
  }

  void read_name(const std::string& name, const toml::node& node) {
    const std::optional<std::string> value = node.value_exact<std::string>();
    if (!value || value->empty() || value->find_first_not_of(kNameLetters) != std::string::npos) {
      return wrong(node, name, "a name of letters, digits, - and _");
    }
    (name == "network" ? file_.network : file_.organization) = *value;
  }

  void read_machines(const std::string& path, const toml::table& table) {
    static constexpr std::string_view kKeys[] = {"group", "region", "count"};
    MachineCount machines;
    machines.line = line(table);
    bool counted = false;
    bool correct = true;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string key_path = path + "." + name;
      const std::size_t before = problems_.size();
      if (name == "group") {
        const std::optional<std::string> value = node.value_exact<std::string>();
        if (!value || value->empty()) wrong(node, key_path, "the name of a process group of fly.toml");
        machines.group = value.value_or("");
        machines.group_line = line(node);
      } else if (name == "region") {
        const std::optional<std::string> value = node.value_exact<std::string>();
        if (!value || value->size() != 3 || value->find_first_not_of(kLower) != std::string::npos) {
          wrong(node, key_path, "a region's code of three small letters, e.g. \"iad\"");
        }
        machines.region = value.value_or("");
      } else if (name == "count") {
        const std::optional<std::int64_t> value = node.value_exact<std::int64_t>();
        if (!value || *value < 0 || *value > kMaxMachineCount) {
          wrong(node, key_path, fmt::format("a number from 0 to {}", kMaxMachineCount));
        } else {
          machines.count = static_cast<unsigned>(*value);
        }
        counted = true;
      } else {
        unknown_key(key, key_path, kKeys);
      }
      correct = correct && problems_.size() == before;
    }
    if (!counted) problem(table.source(), path, "count is missing, e.g. count = 2");
    if (!correct || !counted) return;
    for (const MachineCount& other : file_.machines) {
      if (other.group != machines.group || other.region != machines.region) continue;
      return problem(table.source(), path,
                     fmt::format("line {} already counts the machines of this group and region", other.line));
    }
    file_.machines.push_back(std::move(machines));
  }

  void read_expect(const std::string& path, const toml::table& table) {
    static constexpr std::string_view kKeys[] = {"6pn"};
    Expectation expectation;
    expectation.line = line(table);
    for (const auto& [key, node] : table) {
      const std::string key_path = path + "." + std::string(key.str());
      if (key.str() != "6pn") {
        unknown_key(key, key_path, kKeys);
      } else if (const std::optional<std::uint16_t> port = port_value(node)) {
        expectation.six_pn_port = *port;
      } else {
        wrong(node, key_path, "a port from 1 to 65535");
      }
    }
    if (table.empty()) problem(table.source(), path, "6pn is missing, e.g. 6pn = 9090");
    file_.expect.push_back(expectation);
  }

  void read_ip_addresses(const toml::node& node) {
    static constexpr std::pair<std::string_view, IpAddressKind> kKinds[] = {{"v4", IpAddressKind::kV4},
                                                                            {"shared_v4", IpAddressKind::kSharedV4},
                                                                            {"v6", IpAddressKind::kV6},
                                                                            {"private_v6", IpAddressKind::kPrivateV6}};
    static constexpr std::string_view kAllowed = "a list of v4, shared_v4, v6 and private_v6, as `fly ips list` shows them";
    const toml::array* const list = node.as_array();
    if (list == nullptr) return wrong(node, "ip_addresses", kAllowed);
    for (const toml::node& item : *list) {
      const std::optional<std::string> text = item.value_exact<std::string>();
      const auto* const found = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& one) { return text && one.first == *text; });
      if (found == std::end(kKinds)) wrong(item, "ip_addresses", kAllowed);
      else file_.ip_addresses.insert(found->second);
    }
  }

  void read_tls(const toml::node& node) {
    static constexpr std::string_view kKeys[] = {"domains"};
    const toml::table* const table = node.as_table();
    if (table == nullptr) return wrong(node, "tls", "a table, e.g. [tls] with the line domains = [\"example.com\"]");
    for (const auto& [key, value] : *table) {
      const std::string path = fmt::format("tls.{}", key.str());
      // A name with a certificate is a name of the app: there is no other use for one.
      if (key.str() == "domains") read_domains(path, value);
      else unknown_key(key, path, kKeys);
    }
  }

  void read_domains(const std::string& path, const toml::node& node) {
    static constexpr std::string_view kAllowed = "a list of host names, e.g. [\"example.com\", \"www.example.com\"]";
    const toml::array* const list = node.as_array();
    if (list == nullptr) return wrong(node, path, kAllowed);
    for (const toml::node& item : *list) {
      std::string name = item.value_exact<std::string>().value_or("");
      std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      if (!is_host_name(name)) {
        wrong(item, path, kAllowed);
      } else if (const std::string_view own = own_top_of(name); !own.empty()) {
        problem(item.source(), path, fmt::format("{} cannot be a domain of the app: names under {} are the platform's own", name, own));
      } else if (std::find(file_.domains.begin(), file_.domains.end(), name) == file_.domains.end()) {
        file_.domains.push_back(std::move(name));
      }
    }
  }

  void read_dns(const toml::node& node) {
    static constexpr std::string_view kKeys[] = {"order", "reverse", "servers"};
    const toml::table* const table = node.as_table();
    if (table == nullptr) return wrong(node, "dns", "a table, e.g. [dns] with the line order = \"random\"");
    for (const auto& [key, value] : *table) {
      const std::string path = fmt::format("dns.{}", key.str());
      if (key.str() == "order") {
        const std::string order = value.value_exact<std::string>().value_or("");
        if (order == "fixed") file_.dns.order = dns::AnswerOrder::fixed;
        else if (order == "random") file_.dns.order = dns::AnswerOrder::random;
        else wrong(value, path, "\"fixed\" or \"random\"");
      } else if (key.str() == "reverse") {
        file_.dns.reverse_names = value.value_exact<bool>();
        if (!file_.dns.reverse_names) wrong(value, path, "true or false");
      } else if (key.str() == "servers") {
        read_dns_servers(path, value);
      } else {
        unknown_key(key, path, kKeys);
      }
    }
  }

  void read_dns_servers(const std::string& path, const toml::node& node) {
    static constexpr std::string_view kAllowed = "a list of name servers, e.g. [\"1.1.1.1\", \"[2606:4700:4700::1111]:53\"]";
    const toml::array* const list = node.as_array();
    if (list == nullptr || list->empty()) return wrong(node, path, kAllowed);
    for (const toml::node& item : *list) {
      const std::optional<std::string> text = item.value_exact<std::string>();
      if (!text) {
        wrong(item, path, kAllowed);
      } else if (const auto server = dns::parse_upstream(*text); !server) {
        problem(item.source(), path, server.error().message);
      } else {
        file_.dns.servers.push_back(*server);
      }
    }
  }

  static std::optional<std::uint16_t> port_value(const toml::node& node) {
    const std::optional<std::int64_t> value = node.value_exact<std::int64_t>();
    if (!value || *value < 1 || *value > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*value);
  }

  void read_ports(const toml::node& node) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) return wrong(node, "ports", "a table, e.g. [ports] with the line 80 = 8080");
    std::map<std::uint16_t, std::uint16_t> taken;  // host port -> external port
    for (const auto& [key, value] : *table) {
      const std::string path = fmt::format("ports.{}", key.str());
      const std::optional<std::uint16_t> external = parse_port(key.str());
      const std::optional<std::uint16_t> host = port_value(value);
      if (!external) {
        problem(key.source(), path, "the key is a service's external port from 1 to 65535, e.g. 80 = 8080");
      } else if (!host) {
        wrong(value, path, "a port of this host from 1 to 65535");
      } else if (const auto [other, added] = taken.emplace(*host, *external); !added) {
        problem(value.source(), path,
                fmt::format("port {} of this host is already taken by ports.{}", *host, other->second));
      } else if (!file_.ports.emplace(*external, *host).second) {
        problem(key.source(), path, fmt::format("port {} is mapped a second time", *external));
      } else {
        file_.port_lines[*external] = line(value);
      }
    }
  }

  void read_edges(const toml::node& node) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) return wrong(node, "edges", "a table, e.g. [edges] with the line syd = 9080");
    for (const auto& [key, value] : *table) {
      const std::string region(key.str());
      const std::string path = "edges." + region;
      const std::optional<std::uint16_t> port = port_value(value);
      const auto same = std::find_if(file_.edges.begin(), file_.edges.end(), [&](const auto& edge) { return port && edge.second == *port; });
      if (region.size() != 3 || region.find_first_not_of(kLower) != std::string::npos) {
        problem(key.source(), path, "the key is a region's code of three small letters, e.g. syd = 9080");
      } else if (!port) {
        wrong(value, path, "a port of this host from 1 to 65535");
      } else if (same != file_.edges.end()) {
        problem(value.source(), path, fmt::format("port {} of this host is already taken by edges.{}", *port, same->first));
      } else {
        file_.edges.emplace(region, *port);
      }
    }
  }

  void read_commands(const toml::node& node) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) return wrong(node, "commands", "a table with one line for each process group");
    for (const auto& [key, value] : *table) {
      const std::string path = fmt::format("commands.{}", key.str());
      CommandOverride command;
      command.line = line(value);
      if (const toml::value<std::string>* text = value.as_string()) {
        Result<std::vector<std::string>> words = split_shell_words(**text);
        if (!words) {
          problem(value.source(), path, fmt::format("{}: {}", words.error().message, **text));
          continue;
        }
        command.argv = std::move(*words);
      } else if (const toml::array* list = value.as_array()) {
        for (const toml::node& word : *list) {
          if (const std::optional<std::string> text_word = word.value_exact<std::string>()) {
            command.argv.push_back(*text_word);
          } else {
            wrong(word, path, "a list of strings");
          }
        }
      } else {
        wrong(value, path, "a command line or a list of words");
        continue;
      }
      if (std::any_of(command.argv.begin(), command.argv.end(), has_nul)) {
        problem(value.source(), path, "an argument cannot have a NUL character");
        continue;
      }
      if (command.argv.empty() || command.argv.front().empty()) {
        wrong(value, path, "a command that is not empty");
        continue;
      }
      file_.commands.emplace(std::string(key.str()), std::move(command));
    }
  }

  void read_env(const toml::node& node) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) return wrong(node, "env", "a table with lines like NAME = \"value\"");
    for (const auto& [key, value] : *table) {
      const std::string name(key.str());
      const std::string path = "env." + name;
      if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
        problem(key.source(), path, "a variable's name is not empty and has no =");
      } else if (const std::optional<std::string> text = value.value_exact<std::string>()) {
        if (has_nul(*text)) problem(value.source(), path, "a variable's value cannot have a NUL character");
        file_.env[name] = *text;
      } else if (value.is_integer() || value.is_boolean() || value.is_floating_point()) {
        // As flyctl does with the values of fly.toml's [env].
        file_.env[name] = kind(value);
      } else {
        wrong(value, path, "a string, a number, true or false");
      }
    }
  }

  void read_secrets_file(const toml::node& node) {
    const std::optional<std::string> value = node.value_exact<std::string>();
    if (!value || value->empty() || has_nul(*value))
      return wrong(node, "secrets_file", "a path beside flylocal.toml, e.g. \".env.local\"");
    file_.secrets_file = *value;
    file_.secrets_file_line = line(node);
  }

  const std::string& file_name_;
  ProjectFile file_;
  std::vector<FileProblem> problems_;
};

}  // namespace

ProjectFileReading read_project_file(std::string_view text, const std::string& file_name) {
  if (auto refusal = config::precheck_toml(text))
    return {std::nullopt, {{file_name, refusal->place.line, refusal->place.column, "", std::move(refusal->message)}}};
  try {
    const toml::table root = toml::parse(text, file_name);
    return ProjectFileReader(file_name).run(root);
  } catch (const toml::parse_error& failure) {
    const toml::source_position at = failure.source().begin;
    return {std::nullopt,
            {{file_name, static_cast<int>(at.line), static_cast<int>(at.column), "",
              std::string(failure.description())}}};
  }
}

ProjectFileReading load_project_file(const std::filesystem::path& path) {
  const Result<std::string> text = read_text_file(path);
  if (text) return read_project_file(*text, path.filename().string());
  if (text.error().code == std::errc::no_such_file_or_directory) return {ProjectFile{}, {}};
  return {std::nullopt, {{path.string(), 0, 0, "", text.error().message}}};
}

}  // namespace flylocal::launch
