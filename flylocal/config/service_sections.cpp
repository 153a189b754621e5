#include <algorithm>
#include <limits>

#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"

/// [http_service] and [[services]] (platform.md 4.2, 4.3, 7.3).
namespace flylocal::config {
namespace {

/// The manual's value. flyctl sends 0 when the key is absent, which no app can listen on.
constexpr Port kManualInternalPort = 8080;

Port read_internal_port(TableFields& fields, PortNotation notation) {
  if (const auto field = fields.find("internal_port"))
    return field->port(notation).value_or(kManualInternalPort);
  fields.self().warning(
      fmt::format("\"internal_port\" is missing; the manual's default {} is used", kManualInternalPort),
      fmt::format("Add the port that the app listens on: internal_port = {}", kManualInternalPort));
  return kManualInternalPort;
}

AutoStop read_auto_stop(const Field& field) {
  if (const auto* value = std::get_if<bool>(&field.node().value))
    return *value ? AutoStop::kStop : AutoStop::kOff;
  if (std::holds_alternative<std::string>(field.node().value)) {
    return field.choice(kAutoStopNames).value_or(AutoStop::kOff);
  }
  field.wrong("true, false, \"off\", \"stop\" or \"suspend\"");
  return AutoStop::kOff;
}

bool is_empty_list(const TomlNode& node) {
  const auto* items = std::get_if<TomlArray>(&node.value);
  return items && items->empty();
}

/// What the two kinds of services spell the same way.
void read_common_settings(TableFields& fields, const KnownGroups& groups, ServiceSettings& out) {
  out.place = fields.self().place();
  out.processes = read_group_list(fields, groups, UnknownGroup::kError);
  const auto written = fields.find("processes");
  const bool misread = written && out.processes.empty() && !is_empty_list(written->node());
  if (groups.declared && out.processes.empty() && !misread) {
    fields.self().error("\"processes\" is missing: with a [processes] section every service names its groups",
                        fmt::format("Add a line such as: processes = [{}]",
                                    groups.names.empty() ? "\"app\"" : in_quotes(groups.names.front())));
  }
  if (const auto field = fields.find("auto_stop_machines")) out.auto_stop_machines = read_auto_stop(*field);
  if (const auto field = fields.find("auto_start_machines")) out.auto_start_machines = field->boolean();
  if (const auto field = fields.find("min_machines_running")) {
    out.min_machines_running = field->integer(0, std::numeric_limits<int>::max()).value_or(0);
  }
  if (const auto field = fields.find("machine_checks")) out.machine_checks = read_machine_checks(*field);
}

std::vector<Handler> read_handlers(const Field& field) {
  std::vector<Handler> out;
  for (const Field& item : field.items()) {
    if (const auto* written = std::get_if<std::string>(&item.node().value);
        written && *written == "edge_http") {
      item.wrong("\"http\", \"tls\", \"pg_tls\" or \"proxy_proto\"",
                 "edge_http is a retired name: write \"http\"");
      continue;
    }
    const auto handler = item.choice(kHandlerNames);
    if (!handler) continue;
    if (std::find(out.begin(), out.end(), *handler) != out.end()) {
      item.warning("the handler is listed twice", "Remove one of them");
    } else {
      out.push_back(*handler);
    }
  }
  return out;
}

bool contains(const std::vector<Handler>& handlers, Handler handler) {
  return std::find(handlers.begin(), handlers.end(), handler) != handlers.end();
}

void check_handler_combination(const Field& field, const std::vector<Handler>& handlers) {
  const bool http = contains(handlers, Handler::kHttp);
  const bool tls = contains(handlers, Handler::kTls);
  const bool pg_tls = contains(handlers, Handler::kPgTls);
  const bool proxy_proto = contains(handlers, Handler::kProxyProto);
  if (http && proxy_proto) {
    field.error(
        "\"http\" and \"proxy_proto\" exclude each other",
        "With http the client's address is in the Fly-Client-IP header; without it, use [\"proxy_proto\"]");
  }
  if (pg_tls && (http || tls)) {
    field.error("\"pg_tls\" ends TLS by itself and carries the Postgres protocol only",
                "Write [\"pg_tls\"] alone");
  }
  if (pg_tls && proxy_proto) field.warning("\"pg_tls\" with \"proxy_proto\" is not documented");
}

PortRange read_port_range(TableFields& fields) {
  const auto port = fields.find("port");
  const auto start = fields.find("start_port");
  const auto end = fields.find("end_port");
  if (port && (start || end)) {
    port->error("\"port\" and \"start_port\"/\"end_port\" exclude each other", "Keep one of the two");
  }
  if (port) {
    const Port value = port->port(PortNotation::kNumberOrText).value_or(0);
    return {value, value};
  }
  if (!start && !end) {
    fields.self().error("no port: \"port\" is missing, and so are \"start_port\" and \"end_port\"",
                        "Add a line such as: port = 443");
    return {};
  }
  PortRange range{1, 65535};
  if (start) range.first = start->port(PortNotation::kNumber).value_or(1);
  if (end) range.last = end->port(PortNotation::kNumber).value_or(65535);
  if (!start) end->warning("\"start_port\" is missing: the range begins at port 1", "Add start_port");
  if (!end) start->warning("\"end_port\" is missing: the range goes up to port 65535", "Add end_port");
  if (range.first > range.last) {
    start->error(
        fmt::format("the range is empty: start_port {} is above end_port {}", range.first, range.last),
        "Swap the two");
  }
  return range;
}

ServicePort read_port(const Field& table) {
  TableFields fields(table);
  ServicePort out;
  out.place = table.place();
  out.range = read_port_range(fields);
  if (const auto field = fields.find("handlers")) {
    out.handlers = read_handlers(*field);
    check_handler_combination(*field, out.handlers);
  }
  const bool http = out.has(Handler::kHttp);
  if (const auto field = fields.find("force_https")) {
    out.force_https = field->boolean().value_or(false);
    if (out.force_https && !http) {
      field->error("force_https needs the http handler", "Add \"http\" to handlers, or remove force_https");
    }
  }
  if (const auto field = fields.find("tls_options")) {
    out.tls_options = read_tls_options(*field);
    if (!out.has(Handler::kTls) && !out.has(Handler::kPgTls))
      field->warning("no effect without a tls handler");
  }
  if (const auto field = fields.find("http_options")) {
    out.http_options = read_http_options(*field);
    if (!http) field->warning("no effect without the http handler");
  }
  if (const auto field = fields.find("proxy_proto_options")) {
    out.proxy_protocol_version = read_proxy_proto_options(*field);
    if (!out.has(Handler::kProxyProto)) field->warning("no effect without the proxy_proto handler");
  }
  fields.report_unknown();
  return out;
}

/// Datagrams keep their port on the way to the app, and no handler looks at them (platform.md 6.4).
void check_udp_port(const Field& table, const ServicePort& port, Port internal_port) {
  if (!port.handlers.empty()) table.warning("handlers have no effect on UDP", "Remove them");
  if (port.range.first != 0 && !port.range.contains(internal_port)) {
    table.warning(
        fmt::format("UDP arrives at the app on the external port, not on internal_port {}", internal_port),
        fmt::format("Let the app listen on fly-global-services:{} and set internal_port to it",
                    port.range.first));
  }
}

Service read_service(const Field& table, const KnownGroups& groups) {
  TableFields fields(table);
  Service out;
  read_common_settings(fields, groups, out);
  out.internal_port = read_internal_port(fields, PortNotation::kNumberOrText);
  if (const auto field = fields.find("protocol")) {
    out.protocol = field->choice(kTransportProtocolNames);
  } else {
    table.notice(
        "\"protocol\" is missing: flyctl then leaves the service out when it chooses IP addresses and when "
        "it "
        "looks for listening ports",
        "Add: protocol = \"tcp\"");
  }
  if (const auto field = fields.find("ports")) {
    for (const Field& item : field->tables(TableShape::kListOrSingle)) {
      out.ports.push_back(read_port(item));
      if (out.protocol == TransportProtocol::kUdp) check_udp_port(item, out.ports.back(), out.internal_port);
    }
  }
  if (out.ports.empty()) {
    table.warning("the service has no ports, so nobody can reach it through Fly Proxy",
                  "Add [[services.ports]] with port = 443 and handlers = [\"tls\", \"http\"]");
  }
  if (const auto field = fields.find("concurrency")) out.concurrency = read_concurrency(*field);
  if (const auto field = fields.find("tcp_checks")) {
    read_service_checks(*field, CheckType::kTcp, CheckPlace::kServices, out.checks);
  }
  if (const auto field = fields.find("http_checks")) {
    read_service_checks(*field, CheckType::kHttp, CheckPlace::kServices, out.checks);
  }
  fields.misplaced("checks", "In [[services]] write [[services.http_checks]] or [[services.tcp_checks]]");
  fields.misplaced("force_https", "In [[services]] it belongs to a port: [[services.ports]]");
  fields.misplaced("handlers", "In [[services]] they belong to a port: [[services.ports]]");
  fields.misplaced("port",
                   "Write internal_port for the app's port, and [[services.ports]] for the external ones");
  fields.obsolete("script_checks");
  fields.report_unknown();
  return out;
}

}  // namespace

HttpService read_http_service(const Field& section, const KnownGroups& groups) {
  HttpService out;
  if (section.node().array()) {
    section.wrong("a table, [http_service]",
                  "There is one [http_service] in a file; use [[services]] for more");
    return out;
  }
  TableFields fields(section);
  read_common_settings(fields, groups, out);
  out.internal_port = read_internal_port(fields, PortNotation::kNumber);
  if (const auto field = fields.find("force_https")) out.force_https = field->boolean().value_or(false);
  if (const auto field = fields.find("concurrency")) out.concurrency = read_concurrency_table(*field);
  if (const auto field = fields.find("tls_options")) out.tls_options = read_tls_options(*field);
  if (const auto field = fields.find("http_options")) out.http_options = read_http_options(*field);
  if (const auto field = fields.find("checks")) {
    read_service_checks(*field, CheckType::kHttp, CheckPlace::kHttpService, out.checks);
  }
  fields.misplaced("http_checks", "In [http_service] the list is called [[http_service.checks]]");
  fields.misplaced("tcp_checks", "Use [[http_service.checks]], or [[services]] for TCP checks");
  fields.misplaced("ports", "[http_service] always has ports 80 and 443; use [[services]] for others");
  fields.misplaced("protocol", "[http_service] is always tcp");
  fields.misplaced("port", "The app's port is called internal_port");
  fields.report_unknown();
  return out;
}

std::vector<Service> read_services(const Field& section, const KnownGroups& groups) {
  std::vector<Service> out;
  for (const Field& table : section.tables(TableShape::kListOrSingle)) {
    if (table.node().table()->empty()) {
      table.notice("an empty entry, left out", "Remove it");
    } else {
      out.push_back(read_service(table, groups));
    }
  }
  return out;
}

}  // namespace flylocal::config
