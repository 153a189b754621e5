#include <limits>

#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"

/// [build], [deploy] and [experimental] (platform.md 7.2, 7.5).
namespace flylocal::config {
namespace {

std::optional<std::string> read_optional_text(TableFields& fields, std::string_view key) {
  const auto field = fields.find(key);
  if (!field) return std::nullopt;
  auto value = field->text();
  // flyctl does not tell an empty text from an absent one.
  if (value && value->empty()) {
    field->notice("empty text means that it is not set");
    return std::nullopt;
  }
  return value;
}

void check_compression(TableFields& fields, KeptValues& kept) {
  if (const auto field = fields.find("compression")) {
    const auto value = field->text();
    if (value && *value != "gzip" && *value != "zstd") field->not_among({"gzip", "zstd"});
  }
  if (const auto field = fields.find("compression_level")) field->integer(0, 9);
  fields.keep("compression", kept);
  fields.keep("compression_level", kept);
}

}  // namespace

Build read_build(const Field& section, KeptValues& kept) {
  TableFields fields(section);
  Build out;
  out.image = read_optional_text(fields, "image");
  out.dockerfile = read_optional_text(fields, "dockerfile");
  const auto dashed = read_optional_text(fields, "build-target");
  const auto underscored = read_optional_text(fields, "build_target");
  out.target = dashed ? dashed : underscored;
  if (dashed && underscored && *dashed != *underscored) {
    fields.find("build_target")->warning("ignored: \"build-target\" says otherwise", "Keep one of the two");
  }
  out.ignorefile = read_optional_text(fields, "ignorefile");
  if (const auto field = fields.find("args")) out.args = field->text_map();

  std::vector<std::string_view> strategies;
  if (out.image) strategies.push_back("image");
  if (out.dockerfile || out.target) strategies.push_back("dockerfile");
  if (fields.find("builder") || fields.find("buildpacks")) strategies.push_back("builder");
  if (fields.find("builtin")) strategies.push_back("builtin");
  if (strategies.size() > 1) {
    section.warning(fmt::format("more than one way to build: {}", fmt::join(strategies, ", ")),
                    "Keep one of them");
  }
  for (std::string_view key : {"builder", "buildpacks", "builtin", "settings", "compose", "use_zstd"}) {
    fields.keep(key, kept);
  }
  check_compression(fields, kept);
  fields.misplaced("target", "The stage of the Dockerfile is called build-target");
  fields.report_unknown();
  return out;
}

Deploy read_deploy(const Field& section, KeptValues& kept) {
  TableFields fields(section);
  Deploy out;
  if (const auto field = fields.find("strategy")) {
    // Empty text is flyctl's "not set".
    const auto* written = std::get_if<std::string>(&field->node().value);
    if (!written || !written->empty()) out.strategy = field->choice(kDeployStrategyNames);
  }
  if (const auto field = fields.find("release_command")) {
    out.release_command = read_command(*field);
    if (out.release_command && out.release_command->empty()) out.release_command.reset();
  }
  if (const auto field = fields.find("release_command_timeout")) {
    out.release_command_timeout = field->duration(IntegerMeans::kNanoseconds);
  }
  if (const auto field = fields.find("wait_timeout"))
    out.wait_timeout = field->duration(IntegerMeans::kNanoseconds);
  if (const auto field = fields.find("max_unavailable")) {
    const auto* number = std::get_if<double>(&field->node().value);
    const auto* count = std::get_if<std::int64_t>(&field->node().value);
    if ((!number || !(*number > 0)) && (!count || *count < 0)) {
      field->wrong("a number: a share below 1, or a count of machines");
    }
  }
  for (std::string_view key : {"max_unavailable", "release_command_vm", "seed_command"})
    fields.keep(key, kept);
  fields.report_unknown();
  return out;
}

Experimental read_experimental(const Field& section, KeptValues& kept, MovedFromExperimental& moved) {
  TableFields fields(section);
  Experimental out;
  if (const auto field = fields.find("cmd")) out.cmd = field->text_or_texts();
  if (const auto field = fields.find("entrypoint")) out.entrypoint = field->text_or_texts();
  if (const auto field = fields.find("exec")) out.exec = field->text_or_texts();
  moved.kill_timeout = fields.find("kill_timeout");
  const auto port = fields.find("metrics_port");
  const auto path = fields.find("metrics_path");
  if (port) {
    Metrics metrics;
    metrics.port = port->port(PortNotation::kNumber).value_or(0);
    if (path) metrics.path = path->text().value_or("");
    port->notice("an old form of [metrics], accepted; has no effect locally");
    moved.metrics = std::move(metrics);
  } else if (path) {
    path->warning("no effect without metrics_port", "Write [metrics] with port and path");
  }
  if (const auto field = fields.find("machine_config")) {
    kept.insert_or_assign(field->key(), to_json(field->node()));
    field->warning("the raw machine configuration is kept, but not applied locally");
  }
  for (std::string_view key :
       {"auto_rollback", "enable_consul", "enable_etcd", "lazy_load_images", "attached", "use_zstd"}) {
    fields.keep(key, kept);
  }
  fields.obsolete("allowed_public_ports");
  fields.obsolete("private_network");
  fields.report_unknown();
  return out;
}

}  // namespace flylocal::config
