#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "flylocal/config/closest_name.hpp"
#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"
#include "flylocal/config/sizes.hpp"
#include "flylocal/config/vm_sizes.hpp"

/// What a machine is made of: mounts, vm, restart, files, statics, metrics (platform.md 7.2, 7.6).
namespace flylocal::config {
namespace {

constexpr int kAnyNumber = std::numeric_limits<int>::max();
constexpr std::uint64_t kGigabyte = 1'000'000'000;
constexpr std::uint64_t kMebibyte = 1024 * 1024;

/// Whole gigabytes from 10, "10", "10gb"; 1 to `most`.
std::optional<int> read_gigabytes(const std::optional<Field>& field, int most) {
  if (!field) return std::nullopt;
  const auto* written = std::get_if<std::string>(&field->node().value);
  if (!written) return field->integer(1, most);
  const auto bytes = parse_size(*written, SizeBase::kDecimal, kGigabyte);
  if (!bytes || *bytes / kGigabyte < 1 || *bytes / kGigabyte > static_cast<std::uint64_t>(most)) {
    field->wrong(most == kAnyNumber ? "a size of 1 GB or more, such as 10 or \"10gb\""
                                    : fmt::format("a size from 1 to {} GB, such as 10 or \"10gb\"", most));
    return std::nullopt;
  }
  return static_cast<int>(*bytes / kGigabyte);
}

std::optional<int> read_megabytes(const std::optional<Field>& field) {
  if (!field) return std::nullopt;
  const auto* written = std::get_if<std::string>(&field->node().value);
  if (!written) return field->integer(1, kAnyNumber);
  const auto bytes = parse_size(*written, SizeBase::kBinary, kMebibyte);
  if (!bytes || *bytes / kMebibyte < 1 || *bytes / kMebibyte > kAnyNumber) {
    field->wrong("an amount of memory, such as 512 or \"1gb\"");
    return std::nullopt;
  }
  return static_cast<int>(*bytes / kMebibyte);
}

bool is_absolute(const std::string& path) {
  return path.starts_with('/');
}

/// The directory without repeated and trailing slashes and dots, so that "/data/", "/./data" and "/data" are one.
std::string tidy(const std::string& path) {
  std::string out = "/" + std::filesystem::path(path).lexically_normal().relative_path().string();
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

bool climbs(const std::string& path) {
  return (path + "/").find("/../") != std::string::npos;
}

Mount read_mount(const Field& table, const KnownGroups& groups) {
  TableFields fields(table);
  Mount out;
  out.place = table.place();
  if (const auto field = fields.require("source", "source = \"data\"")) {
    out.source = field->text_not_empty().value_or("");
    const bool name = std::all_of(out.source.begin(), out.source.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-';
    });
    if (!name) field->wrong("the name of a volume: letters, digits and _");
  }
  if (const auto field = fields.require("destination", "destination = \"/data\"")) {
    const auto path = field->text();
    if (path && (!is_absolute(*path) || climbs(*path) || tidy(*path) == "/")) {
      field->wrong("an absolute path other than /", "For example /data");
    } else if (path && (tidy(*path) + "/").starts_with("/proc/")) {
      field->wrong("a path outside of /proc, which is the kernel's", "For example /data");
    } else if (path) {
      out.destination = tidy(*path);
    }
  }
  out.initial_size_gb = read_gigabytes(fields.find("initial_size"), kAnyNumber);
  if (const auto field = fields.find("snapshot_retention"))
    out.snapshot_retention_days = field->integer(1, 60);
  if (const auto field = fields.find("scheduled_snapshots")) out.scheduled_snapshots = field->boolean();
  const auto threshold = fields.find("auto_extend_size_threshold");
  const auto increment = fields.find("auto_extend_size_increment");
  if (threshold) {
    // flyctl leaves out 0 when it sends the configuration: no automatic extension.
    const auto* number = std::get_if<std::int64_t>(&threshold->node().value);
    if (!number || *number != 0) {
      out.auto_extend_threshold_percent = threshold->integer(50, 99);
      if (!increment) {
        threshold->error("\"auto_extend_size_increment\" is missing beside it",
                         "Add a line such as: auto_extend_size_increment = \"1GB\"");
      }
    }
  }
  out.auto_extend_increment_gb = read_gigabytes(increment, 100);
  out.auto_extend_limit_gb = read_gigabytes(fields.find("auto_extend_size_limit"), 500);
  out.processes = read_group_list(fields, groups, UnknownGroup::kWarning);
  fields.report_unknown();
  return out;
}

constexpr std::string_view kCpuKinds[] = {"shared", "performance"};
constexpr std::string_view kPersistRootfs[] = {"none", "never", "restart", "always"};

std::optional<std::string> read_persist_rootfs(const Field& field) {
  const std::vector<std::string_view> words(std::begin(kPersistRootfs), std::end(kPersistRootfs));
  if (std::holds_alternative<std::int64_t>(field.node().value)) {
    // The number of the API's enum.
    const auto number = field.integer(0, 3);
    return number ? std::optional<std::string>(words[static_cast<std::size_t>(*number)]) : std::nullopt;
  }
  auto value = field.text();
  if (value && value->empty()) return "none";
  if (value && std::find(words.begin(), words.end(), *value) == words.end()) field.not_among(words);
  return value;
}

VmSettings read_vm_entry(const Field& table, const KnownGroups& groups) {
  TableFields fields(table);
  VmSettings out;
  out.place = table.place();
  if (const auto field = fields.find("size")) {
    out.size = field->text_not_empty();
    if (out.size && !find_vm_size(*out.size)) field->not_among(vm_size_names());
  }
  const auto memory = fields.find("memory");
  const auto memory_mb = fields.find("memory_mb");
  out.memory_mb = read_megabytes(memory);
  if (memory_mb) {
    const auto value = memory_mb->integer(1, kAnyNumber);
    if (value && out.memory_mb && *value != *out.memory_mb) {
      memory_mb->warning(fmt::format("\"memory\" says {} MB; memory_mb = {} wins", *out.memory_mb, *value),
                         "Keep one of the two");
    }
    if (value) out.memory_mb = value;
  }
  if (const auto field = fields.find("cpus")) out.cpus = field->integer(1, 1024);
  if (const auto field = fields.find("cpu_kind")) {
    out.cpu_kind = field->text();
    if (out.cpu_kind &&
        std::find(std::begin(kCpuKinds), std::end(kCpuKinds), *out.cpu_kind) == std::end(kCpuKinds)) {
      field->not_among({std::begin(kCpuKinds), std::end(kCpuKinds)});
    }
  }
  if (const auto field = fields.find("max_memory_mb")) out.max_memory_mb = field->integer(0, kAnyNumber);
  if (const auto field = fields.find("gpus")) out.gpus = field->integer(0, 64);
  if (const auto field = fields.find("gpu_kind")) {
    out.gpu_kind = field->text();
    field->notice("accepted, has no effect locally: machines see the host's devices");
  }
  if (const auto field = fields.find("host_dedication_id")) out.host_dedication_id = field->text();
  if (const auto field = fields.find("persist_rootfs")) out.persist_rootfs = read_persist_rootfs(*field);
  if (const auto field = fields.find("kernel_args")) {
    if (std::holds_alternative<std::string>(field->node().value)) {
      field->warning("the manual shows text here, but flyctl can only decode a list",
                     fmt::format("Write [{}]", shown(field->node())));
    }
    out.kernel_args = field->text_or_texts();
    field->notice("accepted, has no effect locally: machines share the host's kernel");
  }
  out.processes = read_group_list(fields, groups, UnknownGroup::kWarning);
  fields.report_unknown();
  return out;
}

bool looks_like_base64(const std::string& text) {
  if (text.size() < 8 || text.size() % 4 != 0) return false;
  const auto end = text.find_last_not_of('=');
  if (end == std::string::npos || text.size() - end > 3) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end) + 1, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

std::optional<std::string> read_guest_path(TableFields& fields, std::string_view example) {
  const auto field = fields.require("guest_path", example);
  if (!field) return std::nullopt;
  auto path = field->text();
  if (path && (!is_absolute(*path) || climbs(*path))) {
    field->wrong("an absolute path in the machine");
    return std::nullopt;
  }
  return path;
}

GuestFile read_file_entry(const Field& table, const KnownGroups& groups) {
  TableFields fields(table);
  GuestFile out;
  out.guest_path = read_guest_path(fields, "guest_path = \"/etc/app.conf\"").value_or("");
  // flyctl takes the first of these that is not empty.
  const std::pair<std::string_view, std::optional<std::string> GuestFile::*> sources[] = {
      {"local_path", &GuestFile::local_path},
      {"secret_name", &GuestFile::secret_name},
      {"raw_value", &GuestFile::raw_value}};
  std::string_view chosen;
  for (const auto& [key, member] : sources) {
    const auto field = fields.find(key);
    if (!field) continue;
    auto value = field->text();
    if (!value || value->empty()) continue;
    if (!chosen.empty()) {
      field->warning(fmt::format("ignored: {} already says what the file holds", in_quotes(chosen)),
                     "Keep one of them");
      continue;
    }
    chosen = key;
    if (key == "raw_value" && looks_like_base64(*value)) {
      field->notice(
          "the text is already base64, and flyctl encodes it again: the machine gets it as it stands here",
          "Write the plain text if the machine should have it decoded");
    }
    out.*member = std::move(*value);
  }
  if (chosen.empty()) {
    table.error("nothing says what the file holds", "Add one of local_path, secret_name and raw_value");
  }
  out.processes = read_group_list(fields, groups, UnknownGroup::kWarning);
  fields.report_unknown();
  return out;
}

}  // namespace

void read_mounts(const Field& section, const KnownGroups& groups, std::vector<Mount>& mounts) {
  for (const Field& table : section.tables(TableShape::kListOrSingle))
    mounts.push_back(read_mount(table, groups));
}

void read_vm(const Field& section, const KnownGroups& groups, std::vector<VmSettings>& vm) {
  for (const Field& table : section.tables(TableShape::kListOrSingle))
    vm.push_back(read_vm_entry(table, groups));
}

std::vector<Restart> read_restart(const Field& section, const KnownGroups& groups) {
  std::vector<Restart> out;
  for (const Field& table : section.tables(TableShape::kListOnly)) {
    TableFields fields(table);
    Restart restart;
    if (const auto field = fields.find("policy")) {
      const auto* written = std::get_if<std::string>(&field->node().value);
      if (written && *written == "no") {
        field->wrong("\"never\", \"always\" or \"on-failure\"",
                     "The Machines API's \"no\" is \"never\" in fly.toml");
      } else {
        restart.policy = field->choice(kRestartPolicyNames).value_or(restart.policy);
      }
    }
    if (const auto field = fields.find("retries")) restart.retries = field->integer(0, kAnyNumber);
    fields.misplaced("max_retries", "In fly.toml it is called retries");
    restart.processes = read_group_list(fields, groups, UnknownGroup::kWarning);
    fields.report_unknown();
    out.push_back(std::move(restart));
  }
  return out;
}

std::vector<GuestFile> read_files(const Field& section, const KnownGroups& groups) {
  std::vector<GuestFile> out;
  for (const Field& table : section.tables(TableShape::kListOnly))
    out.push_back(read_file_entry(table, groups));
  return out;
}

std::vector<StaticMapping> read_statics(const Field& section) {
  constexpr std::size_t kMost = 10;
  std::vector<StaticMapping> out;
  std::set<std::string> prefixes;
  for (const Field& table : section.tables(TableShape::kListOnly)) {
    TableFields fields(table);
    StaticMapping mapping;
    if (const auto field = fields.require("guest_path", "guest_path = \"/app/public\"")) {
      mapping.guest_path = field->text_not_empty().value_or("");
    }
    if (const auto field = fields.require("url_prefix", "url_prefix = \"/static/\"")) {
      mapping.url_prefix = field->text_not_empty().value_or("");
      if (!mapping.url_prefix.empty() && !mapping.url_prefix.starts_with('/'))
        field->wrong("a path that begins with /");
      if (!prefixes.insert(mapping.url_prefix).second) field->error("this prefix already has a mapping");
    }
    if (const auto field = fields.find("tigris_bucket")) {
      mapping.tigris_bucket = field->text_not_empty();
      field->notice("accepted, has no effect locally: there is no object store here");
    }
    if (const auto field = fields.find("index_document")) mapping.index_document = field->text_not_empty();
    fields.misplaced("processes", "Statics apply to all process groups");
    fields.report_unknown();
    out.push_back(std::move(mapping));
    if (out.size() == kMost + 1) table.error(fmt::format("more than {} mappings", kMost));
  }
  return out;
}

void read_metrics(const Field& section, const KnownGroups& groups, std::vector<Metrics>& metrics) {
  for (const Field& table : section.tables(TableShape::kListOrSingle)) {
    TableFields fields(table);
    Metrics entry;
    const auto port = fields.find("port");
    if (port) entry.port = port->port(PortNotation::kNumber).value_or(0);
    if (const auto field = fields.find("path")) entry.path = field->text().value_or("");
    if (const auto field = fields.find("https")) entry.https = field->boolean().value_or(false);
    entry.processes = read_group_list(fields, groups, UnknownGroup::kWarning);
    fields.report_unknown();
    if (!port) {
      table.warning("left out: \"port\" is missing", "Add a line such as: port = 9091");
      continue;
    }
    table.notice("accepted, has no effect locally: nothing scrapes metrics here");
    metrics.push_back(std::move(entry));
  }
}

}  // namespace flylocal::config
