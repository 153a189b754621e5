#include "flylocal/project/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>

#include "flylocal/config/closest_name.hpp"
#include "flylocal/config/fly_toml.hpp"
#include "flylocal/launch/dockerfile.hpp"
#include "flylocal/launch/project_file.hpp"
#include "flylocal/launch/secrets_file.hpp"

namespace flylocal::project {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPortsShown = 10;

std::string host_path() {
  const char* path = std::getenv("PATH");
  return path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

class Loader {
 public:
  Loader(fs::path directory, const LoadOptions& options) : directory_(std::move(directory)), options_(options) {}

  LoadedProject load() {
    read_files();
    if (config_ && file_ && loaded_.problems.empty()) build_app();
    if (!loaded_.problems.empty()) loaded_.app.reset();
    return std::move(loaded_);
  }

 private:
  void read_files();
  void read_dockerfile();
  void build_app();
  void add_group(AppSpec& app, const std::string& name);
  std::vector<Placement> placements(const AppSpec& app, const config::GroupConfig& group, bool is_default_group);
  void check_group_names(const AppSpec& app);
  void check_ports(const AppSpec& app);
  void note_unexposed_ports(const GroupSpec& group);
  /// What is true of several process groups is said once.
  void add_note(std::string note) {
    if (std::find(loaded_.notes.begin(), loaded_.notes.end(), note) == loaded_.notes.end()) loaded_.notes.push_back(std::move(note));
  }
  void fail(const std::vector<launch::FileProblem>& problems) {
    for (launch::FileProblem problem : problems) {
      // With several projects the name alone would not tell whose file it is.
      if (fs::path(problem.file).is_relative()) problem.file = (directory_ / problem.file).string();
      loaded_.problems.push_back("Error: " + launch::render(problem));
    }
  }

  fs::path directory_;
  const LoadOptions& options_;
  LoadedProject loaded_;
  std::optional<config::AppConfig> config_;
  std::optional<launch::ProjectFile> file_;
  std::optional<launch::ImageConfig> image_;
};

void Loader::read_files() {
  const fs::path fly_toml = options_.config_file ? fs::absolute(*options_.config_file) : directory_ / "fly.toml";
  config::ParsedConfig parsed = config::load_fly_toml(fly_toml);
  for (const config::Problem& problem : parsed.problems) {
    auto& list = problem.severity == config::Problem::Severity::kError ? loaded_.problems : loaded_.notes;
    list.push_back(config::render(problem));
  }
  config_ = std::move(parsed.config);

  launch::ProjectFileReading reading = launch::load_project_file(directory_ / launch::kProjectFileName);
  fail(reading.problems);
  file_ = std::move(reading.file);
  if (config_) read_dockerfile();
}

void Loader::read_dockerfile() {
  const config::Build& build = config_->build;
  std::optional<fs::path> path;
  if (build.dockerfile) {
    if (build.dockerfile->find("://") != std::string::npos) {
      loaded_.notes.push_back(fmt::format("fly.toml: build.dockerfile is a URL ({}), which is not fetched", *build.dockerfile));
      return;
    }
    path = directory_ / *build.dockerfile;
  } else if (!build.image) {
    path = launch::find_dockerfile(directory_);
  }
  if (!path) return;
  launch::DockerfileOptions options;
  options.file_name = path->lexically_relative(directory_).string();
  options.target = build.target.value_or("");
  options.build_args = build.args;
  launch::DockerfileReading reading = launch::load_dockerfile(*path, options);
  fail(reading.problems);
  image_ = std::move(reading.image);
}

std::vector<Placement> Loader::placements(const AppSpec& app, const config::GroupConfig& group, bool is_default_group) {
  std::vector<Placement> result;
  bool mentioned = false;
  for (const launch::MachineCount& machines : file_->machines) {
    if (machines.group.empty() ? !is_default_group : machines.group != group.group) continue;
    mentioned = true;
    const std::string region = machines.region.empty() ? app.primary_region : machines.region;
    if (machines.count > 0) result.push_back({region, static_cast<int>(machines.count)});
  }
  if (!mentioned) result.push_back({app.primary_region, 1});
  return result;
}

void Loader::add_group(AppSpec& app, const std::string& name) {
  GroupSpec group;
  group.config = config::flatten(*config_, name);
  group.placements = placements(app, group.config, name == config::default_group(*config_));
  launch::LaunchInputs inputs;
  inputs.group = name;
  inputs.project_directory = directory_;
  if (auto command = file_->commands.find(name); command != file_->commands.end())
    inputs.command_override = launch::LocalCommand{
        command->second.argv, fmt::format("{} line {}: [commands] {}", launch::kProjectFileName, command->second.line, name)};
  inputs.process_command = group.config.command;
  inputs.experimental_exec = config_->experimental.exec;
  inputs.experimental_entrypoint = config_->experimental.entrypoint;
  inputs.experimental_cmd = config_->experimental.cmd;
  inputs.command_option = options_.command;
  inputs.image = image_;
  inputs.image_reference = config_->build.image.value_or("");
  inputs.host_path = host_path();
  if (group.config.mount) inputs.mounts.push_back(group.config.mount->destination);
  auto plan = launch::plan_launch(inputs, launch::ThisHost{});
  if (!plan) {
    loaded_.problems.push_back(fmt::format("Error: {}, process group {}: {}", app.name, name, plan.error().message));
    return;
  }
  for (const std::string& note : plan->notes) add_note(fmt::format("{}: {}", app.name, note));
  note_unexposed_ports(group);
  group.launch = std::move(*plan);
  app.groups.emplace(name, std::move(group));
}

void Loader::check_group_names(const AppSpec& app) {
  const std::vector<std::string> groups = config::process_groups(*config_);
  const std::vector<std::string_view> names(groups.begin(), groups.end());
  auto check = [&](const std::string& name, int line, const char* key) {
    if (name.empty() || std::find(groups.begin(), groups.end(), name) != groups.end()) return;
    const std::string_view meant = config::closest_name(name, names);
    fail({{std::string(launch::kProjectFileName), line, 0, key,
           fmt::format("{} has no process group {:?}, only {}{}", app.name, name, fmt::join(groups, ", "),
                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant))}});
  };
  for (const auto& machines : file_->machines) check(machines.group, machines.group_line, "machines.group");
  for (const auto& [name, command] : file_->commands) check(name, command.line, "commands");
}

void Loader::check_ports(const AppSpec& app) {
  std::set<int> offered;
  for (const auto& [name, group] : app.groups)
    for (const config::Service& service : group.config.services)
      for (const config::ServicePort& port : service.ports)
        for (int one = port.range.first; one <= port.range.last; ++one) offered.insert(one);
  for (const auto& [external, host_port] : file_->ports) {
    if (offered.contains(external)) continue;
    std::vector<int> some(offered.begin(), std::next(offered.begin(), static_cast<int>(std::min<std::size_t>(offered.size(), kPortsShown))));
    fail({{std::string(launch::kProjectFileName), file_->port_lines.at(external), 0, fmt::format("ports.{}", external),
           offered.empty() ? fmt::format("{} has no service", app.name)
                           : fmt::format("no service of {} has this port, only {}{}", app.name, fmt::join(some, ", "),
                                         some.size() < offered.size() ? " and more" : "")}});
  }
}

void Loader::note_unexposed_ports(const GroupSpec& group) {
  if (!image_ || image_->exposed.empty()) return;
  for (const config::Service& service : group.config.services) {
    const bool exposed = std::any_of(image_->exposed.begin(), image_->exposed.end(), [&](const launch::ExposedPorts& ports) {
      return service.internal_port >= ports.first && service.internal_port <= ports.last;
    });
    if (exposed) continue;
    std::vector<std::string> texts;
    for (const launch::ExposedPorts& ports : image_->exposed)
      texts.push_back(ports.first == ports.last ? std::to_string(ports.first) : fmt::format("{}-{}", ports.first, ports.last));
    add_note(fmt::format("{}: internal_port is {}, and the Dockerfile EXPOSEs {}: if the program listens there, one of them is wrong",
                                        config_->app, service.internal_port, fmt::join(texts, ", ")));
  }
}

void Loader::build_app() {
  AppSpec app;
  app.name = config_->app;
  app.directory = directory_;
  app.organization = file_->organization;
  app.network = file_->network;
  app.primary_region = config_->primary_region.value_or(kDefaultRegion);
  app.local_env = file_->env;
  app.host_ports = file_->ports;
  app.edges = file_->edges;
  for (const launch::Expectation& expectation : file_->expect) app.six_pn_ports.push_back(expectation.six_pn_port);
  app.ip_addresses = file_->ip_addresses;
  app.domains = file_->domains;
  app.dns = file_->dns;
  if (file_->secrets_file) {
    launch::SecretsReading secrets = launch::load_secrets(directory_ / *file_->secrets_file);
    for (launch::FileProblem& problem : secrets.problems)
      // A file that could not be read at all is a mistake in the line that names it.
      if (problem.line == 0)
        problem = {std::string(launch::kProjectFileName), file_->secrets_file_line, 0, "secrets_file",
                   fmt::format("{}: {}", *file_->secrets_file, problem.message)};
    fail(secrets.problems);
    app.secrets = std::move(secrets.secrets);
  }
  check_group_names(app);
  for (const std::string& name : config::process_groups(*config_)) add_group(app, name);
  if (loaded_.problems.empty()) check_ports(app);
  if (config_->deploy.release_command)
    loaded_.notes.push_back(fmt::format("{}: release_command is not run; run it with `flylocal ssh console -a {} -C {:?}`",
                                        app.name, app.name, *config_->deploy.release_command));
  loaded_.app = std::move(app);
}

}  // namespace

LoadedProject load_project(const fs::path& directory, const LoadOptions& options) {
  std::error_code failed;
  fs::path absolute = fs::canonical(directory, failed);
  if (failed || !fs::is_directory(absolute)) {
    LoadedProject loaded;
    loaded.problems.push_back(fmt::format("Error: {}: {}", directory.string(), failed ? failed.message() : "not a directory"));
    return loaded;
  }
  return Loader(std::move(absolute), options).load();
}

}  // namespace flylocal::project
