#include <algorithm>
#include <limits>

#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"

/// Health checks: of services, top-level, and machine checks (platform.md 4.7, 7.4).
namespace flylocal::config {
namespace {

using std::chrono::seconds;

constexpr Duration kShortest = seconds(1);
constexpr Duration kLongest = seconds(60);

enum class ZeroIs { kTooShort, kAllowed };

/// flyctl moves the times of service checks into their bounds and says so; it does not refuse them.
std::optional<Duration> clamp_service_time(const std::optional<Field>& field, IntegerMeans meaning,
                                           ZeroIs zero) {
  if (!field) return std::nullopt;
  auto time = field->duration(meaning);
  if (!time) return std::nullopt;
  if (zero == ZeroIs::kAllowed && time->count() == 0) return time;
  const Duration clamped = std::clamp(*time, kShortest, kLongest);
  if (clamped != *time) {
    field->notice(fmt::format("{} is outside 1s to 60s{}; flyctl makes it {}", format_go_duration(*time),
                              zero == ZeroIs::kAllowed ? " (or 0)" : "", format_go_duration(clamped)));
  }
  return clamped;
}

std::map<std::string, std::string> read_check_headers(const Field& field, CheckPlace place) {
  if (!field.node().array() || place == CheckPlace::kHttpService) return field.text_map();
  std::map<std::string, std::string> out;
  for (const Field& item : field.items()) {
    if (!item.node().table()) {
      item.wrong("a table with name and value");
      continue;
    }
    TableFields header(item);
    const auto name = header.require("name", "name = \"X-Check\"");
    const auto value = header.require("value", "value = \"1\"");
    const auto name_text = name ? name->text_not_empty() : std::nullopt;
    const auto value_text = value ? value->text() : std::nullopt;
    header.report_unknown();
    if (name_text && value_text) out.insert_or_assign(*name_text, *value_text);
  }
  return out;
}

enum class MethodCase { kAsWritten, kUpper };

CheckRequest read_request(TableFields& fields, CheckPlace place, MethodCase method_case) {
  CheckRequest out;
  if (const auto field = fields.find("method")) {
    if (auto method = field->text_not_empty()) {
      const bool token = std::all_of(method->begin(), method->end(),
                                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
      if (!token) field->wrong("an HTTP method such as \"GET\"");
      if (method_case == MethodCase::kUpper) {
        std::transform(method->begin(), method->end(), method->begin(),
                       [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
      }
      out.method = std::move(*method);
    }
  }
  if (const auto field = fields.find("path")) {
    if (auto path = field->text()) {
      const bool printable =
          std::all_of(path->begin(), path->end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
      if (!printable) {
        field->wrong("a path without spaces and control characters");
      } else if (!path->starts_with('/')) {
        field->warning("a path begins with /; read as " + in_quotes("/" + *path), "Write it with the /");
        path->insert(path->begin(), '/');
      }
      out.path = std::move(*path);
    }
  }
  if (const auto field = fields.find("protocol"))
    out.scheme = field->choice(kHttpSchemeNames).value_or(out.scheme);
  if (const auto field = fields.find("tls_skip_verify"))
    out.tls_skip_verify = field->boolean().value_or(false);
  if (const auto field = fields.find("tls_server_name")) out.tls_server_name = field->text_not_empty();
  if (const auto field = fields.find("headers")) out.headers = read_check_headers(*field, place);
  return out;
}

ServiceCheck read_service_check(const Field& table, CheckType type, CheckPlace place) {
  TableFields fields(table);
  const auto meaning =
      place == CheckPlace::kServices ? IntegerMeans::kMilliseconds : IntegerMeans::kMillisecondsByTheManual;
  ServiceCheck out;
  out.type = type;
  out.place = table.place();
  out.timing.interval = clamp_service_time(fields.find("interval"), meaning, ZeroIs::kTooShort);
  out.timing.timeout = clamp_service_time(fields.find("timeout"), meaning, ZeroIs::kTooShort);
  out.timing.grace_period = clamp_service_time(fields.find("grace_period"), meaning, ZeroIs::kAllowed);
  if (type == CheckType::kHttp) out.request = read_request(fields, place, MethodCase::kAsWritten);
  fields.obsolete("restart_limit");
  fields.report_unknown();
  return out;
}

/// Checks that stand by themselves are refused, not clamped, outside their bounds.
CheckTiming read_top_level_timing(TableFields& fields) {
  CheckTiming out;
  if (const auto field = fields.find("interval")) {
    out.interval = field->duration(IntegerMeans::kMilliseconds);
    if (out.interval && *out.interval < seconds(2)) field->wrong("an interval of 2 seconds or more");
  }
  if (const auto field = fields.find("timeout")) {
    out.timeout = field->duration(IntegerMeans::kMilliseconds);
    if (out.timeout && *out.timeout > kLongest) field->wrong("a timeout of at most 60 seconds");
  }
  if (const auto field = fields.find("grace_period")) {
    out.grace_period = field->duration(IntegerMeans::kMilliseconds);
  }
  return out;
}

constexpr std::string_view kCheckKinds[] = {"informational", "readiness"};

TopLevelCheck read_top_level_check(const std::string& name, const Field& table, TableFields& fields,
                                   std::optional<Port> http_service_port, const KnownGroups& groups) {
  TopLevelCheck out;
  out.name = name;
  out.place = table.place();
  if (const auto type = fields.require("type", "type = \"tcp\"")) {
    out.type = type->choice(kCheckTypeNames).value_or(CheckType::kTcp);
  }
  if (const auto port = fields.find("port")) {
    out.port = port->port(PortNotation::kNumber).value_or(0);
  } else if (http_service_port) {
    out.port = *http_service_port;
  } else {
    table.error("\"port\" is missing, and there is no [http_service] whose internal_port it could take",
                "Add a line such as: port = 8080");
  }
  if (const auto kind = fields.find("kind")) {
    out.kind = kind->text();
    if (out.kind &&
        std::find(std::begin(kCheckKinds), std::end(kCheckKinds), *out.kind) == std::end(kCheckKinds)) {
      kind->not_among({std::begin(kCheckKinds), std::end(kCheckKinds)});
    }
  }
  out.timing = read_top_level_timing(fields);
  out.request = read_request(fields, CheckPlace::kServices, MethodCase::kUpper);
  out.processes = read_group_list(fields, groups, UnknownGroup::kWarning);
  fields.obsolete("restart_limit");
  fields.report_unknown();
  return out;
}

}  // namespace

void read_service_checks(const Field& section, CheckType type, CheckPlace place,
                         std::vector<ServiceCheck>& checks) {
  const auto shape = place == CheckPlace::kServices ? TableShape::kListOrSingle : TableShape::kListOnly;
  for (const Field& table : section.tables(shape)) checks.push_back(read_service_check(table, type, place));
}

std::vector<MachineCheck> read_machine_checks(const Field& section) {
  std::vector<MachineCheck> out;
  for (const Field& table : section.tables(TableShape::kListOnly)) {
    TableFields fields(table);
    MachineCheck check;
    if (const auto field =
            fields.require("command", "command = [\"curl\", \"http://[$FLY_TEST_MACHINE_IP]:8080\"]")) {
      check.command = field->texts();
      if (field->node().array() && field->node().array()->empty())
        field->wrong("a list with at least the program");
    }
    if (const auto field = fields.find("image")) check.image = field->text().value_or("");
    if (const auto field = fields.find("entrypoint")) check.entrypoint = field->texts();
    if (const auto field = fields.find("kill_signal")) check.kill_signal = read_kill_signal(*field);
    if (const auto field = fields.find("kill_timeout")) {
      check.kill_timeout = read_kill_timeout(*field, IntegerMeans::kNanoseconds);
    }
    fields.report_unknown();
    table.notice("accepted, has no effect locally: machine checks run only at deploy");
    out.push_back(std::move(check));
  }
  return out;
}

std::vector<TopLevelCheck> read_top_level_checks(const Field& section, std::optional<Port> http_service_port,
                                                 const KnownGroups& groups) {
  std::vector<TopLevelCheck> out;
  if (section.node().table()) {
    for (const auto& [name, table] : TableFields(section).all()) {
      if (!table.node().table()) {
        table.wrong(fmt::format("a table, [{}]", table.key()),
                    fmt::format("A check has a name: write [checks.NAME], and {} below it", in_quotes(name)));
        continue;
      }
      TableFields fields(table);
      out.push_back(read_top_level_check(name, table, fields, http_service_port, groups));
    }
    return out;
  }
  for (const Field& table : section.tables(TableShape::kListOnly)) {
    TableFields fields(table);
    const auto name_field = fields.require("name", "name = \"alive\"");
    const auto name = name_field ? name_field->text_not_empty() : std::nullopt;
    TopLevelCheck check = read_top_level_check(name.value_or(""), table, fields, http_service_port, groups);
    const bool repeated =
        std::any_of(out.begin(), out.end(), [&](const auto& other) { return other.name == check.name; });
    if (name && repeated) name_field->error("this check is already listed");
    out.push_back(std::move(check));
  }
  return out;
}

}  // namespace flylocal::config
