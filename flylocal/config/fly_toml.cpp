#include "flylocal/config/fly_toml.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>

#include "flylocal/config/process_groups.hpp"
#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"

namespace flylocal::config {
namespace {

bool is_label_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/// A name for an app as near as possible to `text`: what can be a DNS label (app.internal, app.fly.dev).
std::string as_app_name(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_label_letter(c)) c = '-';
    if (c == '-' && (out.empty() || out.back() == '-')) continue;
    out += c;
  }
  out.resize(std::min<std::size_t>(out.size(), 63));
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "my-app" : out;
}

std::string read_app(const Field& field) {
  auto app = field.text();
  if (!app) return {};
  const bool valid = !app->empty() && app->size() <= 63 &&
                     std::all_of(app->begin(), app->end(), is_label_letter) && app->front() != '-' &&
                     app->back() != '-';
  if (!valid) {
    field.wrong("1 to 63 lower-case letters, digits and dashes, no dash at either end",
                fmt::format("For example {}", in_quotes(as_app_name(*app))));
  }
  return *app;
}

std::optional<std::string> read_primary_region(const Field& field) {
  auto region = field.text();
  if (!region) return std::nullopt;
  if (region->empty()) {
    field.notice("empty text means that it is not set");
    return std::nullopt;
  }
  const bool code = region->size() == 3 &&
                    std::all_of(region->begin(), region->end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!code) field.wrong("a region's three lower-case letters, such as \"iad\"");
  return region;
}

/// What is set by lines at the top of the file, above every section.
constexpr std::string_view kTopLevelValues[] = {"app",          "primary_region",  "kill_signal",
                                                "kill_timeout", "console_command", "swap_size_mb"};

class FlyToml {
 public:
  /// `directory` is the name of the project's directory, if known, for the suggestion of an app name.
  FlyToml(const TomlNode& document, std::string directory, ProblemLog& log)
      : root_field_(document, "", log), root_(root_field_), directory_(std::move(directory)) {}

  AppConfig read() {
    read_identity();
    read_groups();
    read_life_cycle();
    read_services_and_checks();
    read_machine();
    read_without_local_effect();
    check_across_sections();
    root_.report_unknown();
    return std::move(config_);
  }

 private:
  void read_identity() {
    if (const auto field = root_.find("app")) {
      config_.app = read_app(*field);
    } else {
      Problem problem;
      problem.line = 1;
      problem.column = 1;
      problem.key = "app";
      problem.message = "the app's name is missing";
      problem.suggestion = fmt::format("Add as the first line: app = {}", in_quotes(as_app_name(directory_)));
      root_field_.log().add(std::move(problem));
    }
    if (const auto field = root_.find("primary_region")) config_.primary_region = read_primary_region(*field);
  }

  void read_groups() {
    const auto field = root_.find("processes");
    if (!field) return;
    config_.processes = read_processes(*field);
    if (config_.processes.empty()) return;
    groups_.declared = true;
    groups_.names = process_groups(config_);
  }

  void read_life_cycle() {
    MovedFromExperimental moved;
    if (const auto field = root_.find("experimental")) {
      config_.experimental = read_experimental(*field, config_.other, moved);
    }
    if (const auto field = root_.find("kill_signal")) config_.kill_signal = read_kill_signal(*field);
    if (const auto field = root_.find("kill_timeout")) {
      config_.kill_timeout = read_kill_timeout(*field, IntegerMeans::kSeconds);
      if (moved.kill_timeout)
        moved.kill_timeout->warning("ignored: kill_timeout is also set at the top", "Remove it");
    } else if (moved.kill_timeout) {
      config_.kill_timeout = read_kill_timeout(*moved.kill_timeout, IntegerMeans::kSeconds);
      moved.kill_timeout->notice("an old place, accepted", "Move it to the top of the file");
    }
    for (std::string_view key : {"metrics", "metric"}) {
      if (const auto field = root_.find(key)) {
        moved.metrics.reset();
        read_metrics(*field, groups_, config_.metrics);
      }
    }
    if (moved.metrics) config_.metrics.push_back(std::move(*moved.metrics));
    if (const auto field = root_.find("env")) {
      config_.env = read_env(*field);
      const auto region = config_.env.find("PRIMARY_REGION");
      if (config_.primary_region && region != config_.env.end() &&
          region->second != *config_.primary_region) {
        field->warning(fmt::format("PRIMARY_REGION = {} is overridden by primary_region = {}",
                                   in_quotes(region->second), in_quotes(*config_.primary_region)),
                       "Remove PRIMARY_REGION from [env]");
      }
    }
    if (const auto field = root_.find("restart")) config_.restart = read_restart(*field, groups_);
    if (const auto field = root_.find("deploy")) config_.deploy = read_deploy(*field, config_.other);
    if (const auto field = root_.find("build")) config_.build = read_build(*field, config_.other);
  }

  void read_services_and_checks() {
    if (const auto field = root_.find("http_service"))
      config_.http_service = read_http_service(*field, groups_);
    if (const auto field = root_.find("services")) config_.services = read_services(*field, groups_);
    if (const auto field = root_.find("checks")) {
      const auto port =
          config_.http_service ? std::optional(config_.http_service->internal_port) : std::nullopt;
      config_.checks = read_top_level_checks(*field, port, groups_);
    }
  }

  void read_machine() {
    for (std::string_view key : {"mounts", "mount"}) {
      if (const auto field = root_.find(key)) read_mounts(*field, groups_, config_.mounts);
    }
    for (std::string_view key : {"vm", "compute", "computes"}) {
      if (const auto field = root_.find(key)) read_vm(*field, groups_, config_.vm);
    }
    if (const auto field = root_.find("files")) config_.files = read_files(*field, groups_);
    if (const auto field = root_.find("statics")) config_.statics = read_statics(*field);
    if (const auto field = root_.find("swap_size_mb")) {
      config_.swap_size_mb = field->integer(0, std::numeric_limits<int>::max());
    }
  }

  void read_without_local_effect() {
    if (const auto field = root_.find("console_command")) {
      config_.console_command = read_command(*field);
      field->notice("accepted, has no effect locally");
    }
    root_.keep("host_dedication_id", config_.other);
    if (const auto field = root_.find("machine_checks")) {
      read_machine_checks(*field);
      config_.other.insert_or_assign(field->key(), to_json(field->node()));
    }
    for (std::string_view key : {"machine_config", "container"}) {
      if (const auto field = root_.find(key)) {
        config_.other.insert_or_assign(field->key(), to_json(field->node()));
        field->warning("the raw machine configuration is kept, but not applied locally");
      }
    }
  }

  void report(Problem::Severity severity, Place place, std::string key, std::string message,
              std::string suggestion) {
    Problem problem;
    problem.severity = severity;
    problem.line = place.line;
    problem.column = place.column;
    problem.key = std::move(key);
    problem.message = std::move(message);
    problem.suggestion = std::move(suggestion);
    root_field_.log().add(std::move(problem));
  }

  void check_across_sections() {
    if (config_.deploy.strategy == DeployStrategy::kCanary && !config_.mounts.empty()) {
      const auto deploy = root_.find("deploy");
      deploy->error("the canary strategy cannot be used with mounts", "Use strategy = \"rolling\"");
    }
    for (const std::string& group : groups_.names) {
      check_one_mount(group);
      check_one_vm(group);
      check_ports_of(group);
    }
  }

  bool belongs(const std::vector<std::string>& processes, const std::string& group) const {
    if (processes.empty()) return group == default_group(config_);
    return std::find(processes.begin(), processes.end(), group) != processes.end();
  }

  /// A machine has at most one volume.
  void check_one_mount(const std::string& group) {
    const Mount* first = nullptr;
    for (const Mount& mount : config_.mounts) {
      if (!belongs(mount.processes, group)) continue;
      if (!first) {
        first = &mount;
        continue;
      }
      report(Problem::Severity::kError, mount.place, "mounts",
             fmt::format("process group {} already has the mount of line {}", in_quotes(group),
                         first->place.line),
             "A machine has one volume: give each mount its own group in processes");
    }
  }

  void check_one_vm(const std::string& group) {
    const VmSettings* first = nullptr;
    for (const VmSettings& vm : config_.vm) {
      if (std::find(vm.processes.begin(), vm.processes.end(), group) == vm.processes.end()) continue;
      if (!first) {
        first = &vm;
        continue;
      }
      report(Problem::Severity::kWarning, vm.place, "vm",
             fmt::format("process group {} already has the entry of line {}, which is used", in_quotes(group),
                         first->place.line),
             "Name every group in one [[vm]] only");
    }
  }

  /// Two services on one external port: which of them a connection reaches is not defined.
  void check_ports_of(const std::string& group) {
    struct Taken {
      PortRange range;
      bool udp;
      Place place;
      std::string owner;
    };
    std::vector<Taken> taken;
    auto take = [&](Taken port) {
      const auto clash = std::find_if(taken.begin(), taken.end(), [&](const Taken& other) {
        return other.udp == port.udp && other.range.overlaps(port.range);
      });
      if (clash != taken.end() && reported_clashes_ < kMostClashes) {
        ++reported_clashes_;
        report(Problem::Severity::kWarning, port.place, port.owner,
               fmt::format("port {} is also used by {} in line {}",
                           std::max(clash->range.first, port.range.first), clash->owner, clash->place.line),
               "Give every external port to one service of a group");
      } else if (clash == taken.end()) {
        taken.push_back(std::move(port));
      }
    };
    if (config_.http_service && belongs(config_.http_service->processes, group)) {
      for (Port port : {Port{80}, Port{443}}) {
        take({{port, port}, false, config_.http_service->place, "http_service"});
      }
    }
    for (std::size_t i = 0; i < config_.services.size(); ++i) {
      const Service& service = config_.services[i];
      if (!belongs(service.processes, group)) continue;
      for (std::size_t j = 0; j < service.ports.size(); ++j) {
        if (service.ports[j].range.first == 0) continue;
        take({service.ports[j].range, service.protocol == TransportProtocol::kUdp, service.ports[j].place,
              fmt::format("services[{}].ports[{}]", i, j)});
      }
    }
  }

  static constexpr int kMostClashes = 20;

  Field root_field_;
  TableFields root_;
  std::string directory_;
  AppConfig config_;
  KnownGroups groups_;
  int reported_clashes_ = 0;
};

ParsedConfig only_problem(std::string file, std::string message, std::string suggestion = {}) {
  Problem problem;
  problem.file = std::move(file);
  problem.message = std::move(message);
  problem.suggestion = std::move(suggestion);
  return {std::nullopt, {std::move(problem)}};
}

std::string too_large() {
  return fmt::format("larger than {} KiB", kMaxFlyTomlBytes / 1024);
}

std::string directory_of(const std::filesystem::path& file) {
  return file.parent_path().filename().string();
}

ParsedConfig parse(std::string_view text, std::string file_name, std::string directory) {
  if (text.size() > kMaxFlyTomlBytes) return only_problem(std::move(file_name), too_large());
  auto tree = parse_toml(text);
  if (!tree) {
    Problem problem = tree.error();
    problem.file = std::move(file_name);
    return {std::nullopt, {std::move(problem)}};
  }
  TomlNode document;
  document.value = std::move(*tree);
  document.place = {1, 1};
  ProblemLog log(std::move(file_name), kTopLevelValues);
  AppConfig config = FlyToml(document, std::move(directory), log).read();
  ParsedConfig out;
  out.problems = log.take();
  if (!has_errors(out.problems)) out.config = std::move(config);
  return out;
}

}  // namespace

ParsedConfig parse_fly_toml(std::string_view text, std::string file_name) {
  std::string directory = directory_of(file_name);
  return parse(text, std::move(file_name), std::move(directory));
}

ParsedConfig load_fly_toml(const std::filesystem::path& path) {
  const std::string file = path.string();
  const std::string suffix = path.extension().string();
  if (suffix == ".json" || suffix == ".yaml" || suffix == ".yml") {
    return only_problem(file,
                        fmt::format("flyctl also reads {} configurations, flylocal reads TOML only", suffix),
                        "Turn it into a fly.toml, for example with: fly config save");
  }
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) {
    const bool missing = !code || code == std::errc::no_such_file_or_directory;
    return only_problem(
        file, missing ? "no such file" : code.message(),
        code == std::errc::not_a_directory ? "Name the project's directory, or the file with -c" : missing ? "Run flylocal in the directory of the project, or name that directory" : "");
  }
  if (std::filesystem::is_directory(status)) {
    const auto inner = path / "fly.toml";
    return only_problem(file, "is a directory",
                        std::filesystem::exists(inner, code) ? fmt::format("Name the file with -c: {}", inner.string()) : "");
  }
  // A pipe or a device could block or never end.
  if (!std::filesystem::is_regular_file(status)) return only_problem(file, "is not a regular file");

  struct Closer {
    void operator()(std::FILE* stream) const { std::fclose(stream); }
  };
  const std::unique_ptr<std::FILE, Closer> stream(std::fopen(file.c_str(), "rbe"));
  if (!stream) return only_problem(file, system_error("cannot be opened", errno).message);
  std::string text(kMaxFlyTomlBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stream.get()));
  if (std::ferror(stream.get())) return only_problem(file, system_error("cannot be read", errno).message);
  if (text.size() > kMaxFlyTomlBytes) return only_problem(file, too_large());
  // A bare "fly.toml" has its directory's name only in the absolute path.
  const auto absolute = std::filesystem::absolute(path, code);
  return parse(text, file, directory_of(code ? path : absolute));
}

}  // namespace flylocal::config
