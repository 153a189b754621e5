#include "flylocal/config/config_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "flylocal/config/enum_names.hpp"

namespace flylocal::config {
namespace {

namespace json = boost::json;

json::value value_of(int number) {
  return number;
}
json::value value_of(bool value) {
  return value;
}
json::value value_of(Port port) {
  return static_cast<std::int64_t>(port);
}
json::value value_of(const std::string& text) {
  return json::value(text);
}
json::value value_of(Duration duration) {
  return json::value(format_go_duration(duration));
}
json::value value_of(std::chrono::seconds seconds) {
  return static_cast<std::int64_t>(seconds.count());
}

json::value value_of(const std::map<std::string, std::string>& texts) {
  json::object out;
  for (const auto& [key, text] : texts) out[key] = text;
  return out;
}

template <class Enum>
requires std::is_enum_v<Enum> json::value value_of(Enum value) {
  return json::value(name(value));
}

json::value value_of(const TlsOptions& options);
json::value value_of(const ReplayCacheRule& rule);
json::value value_of(const HttpOptions& options);
json::value value_of(const ServicePort& port);
json::value value_of(const Concurrency& concurrency);
json::value value_of(const MachineCheck& check);
json::value value_of(const HttpService& service);
json::value value_of(const Service& service);
json::value value_of(const TopLevelCheck& check);
json::value value_of(const Mount& mount);
json::value value_of(const VmSettings& vm);
json::value value_of(const Restart& restart);
json::value value_of(const GuestFile& file);
json::value value_of(const StaticMapping& mapping);
json::value value_of(const Metrics& metrics);

template <class T>
json::value value_of(const std::vector<T>& items) {
  json::array out;
  for (const T& item : items) out.push_back(value_of(item));
  return out;
}

/// Adds what is set: an optional with a value, a list or map that is not empty.
template <class T>
void add(json::object& out, std::string_view key, const std::optional<T>& value) {
  if (value) out[key] = value_of(*value);
}
template <class T>
void add(json::object& out, std::string_view key, const std::vector<T>& items) {
  if (!items.empty()) out[key] = value_of(items);
}
void add(json::object& out, std::string_view key, const std::map<std::string, std::string>& texts) {
  if (!texts.empty()) out[key] = value_of(texts);
}
void add(json::object& out, std::string_view key, const json::object& section) {
  if (!section.empty()) out[key] = section;
}

json::value value_of(const TlsOptions& options) {
  json::object out;
  add(out, "alpn", options.alpn);
  add(out, "versions", options.versions);
  out["default_self_signed"] = options.default_self_signed;
  return out;
}

json::value value_of(const ReplayCacheRule& rule) {
  return json::object{{"path_prefix", rule.path_prefix},
                      {"ttl_seconds", static_cast<std::int64_t>(rule.ttl.count())},
                      {"type", name_in(kKeyedByNames, rule.keyed_by)},
                      {"name", rule.name},
                      {"allow_bypass", rule.allow_bypass}};
}

json::value value_of(const HttpOptions& options) {
  json::object response;
  json::object headers;
  for (const ResponseHeaderRule& rule : options.response_headers) {
    headers[rule.name] = rule.values ? value_of(*rule.values) : json::value(false);
  }
  add(response, "headers", headers);
  if (options.pristine) response["pristine"] = true;
  json::object out;
  add(out, "compress", options.compress);
  out["h2_backend"] = options.h2_backend;
  add(out, "idle_timeout", options.idle_timeout);
  add(out, "headers_read_timeout", options.headers_read_timeout);
  add(out, "response", response);
  add(out, "replay_cache", options.replay_cache);
  return out;
}

json::value value_of(const ServicePort& port) {
  json::object out;
  if (port.range.first == port.range.last) {
    out["port"] = value_of(port.range.first);
  } else {
    out["start_port"] = value_of(port.range.first);
    out["end_port"] = value_of(port.range.last);
  }
  add(out, "handlers", port.handlers);
  if (port.force_https) out["force_https"] = true;
  add(out, "tls_options", port.tls_options);
  add(out, "http_options", port.http_options);
  if (port.has(Handler::kProxyProto)) {
    out["proxy_proto_options"] = json::object{{"version", name(port.proxy_protocol_version)}};
  }
  return out;
}

json::value value_of(const Concurrency& concurrency) {
  json::object out{{"type", name(concurrency.type)}, {"soft_limit", concurrency.soft_limit}};
  add(out, "hard_limit", concurrency.hard_limit);
  return out;
}

void add_timing(json::object& out, const CheckTiming& timing) {
  add(out, "interval", timing.interval);
  add(out, "timeout", timing.timeout);
  add(out, "grace_period", timing.grace_period);
}

void add_request(json::object& out, const CheckRequest& request) {
  out["method"] = request.method;
  out["path"] = request.path;
  out["protocol"] = name(request.scheme);
  if (request.tls_skip_verify) out["tls_skip_verify"] = true;
  add(out, "tls_server_name", request.tls_server_name);
  add(out, "headers", request.headers);
}

json::array checks_of(const std::vector<ServiceCheck>& checks, CheckType type) {
  json::array out;
  for (const ServiceCheck& check : checks) {
    if (check.type != type) continue;
    json::object object;
    add_timing(object, check.timing);
    if (type == CheckType::kHttp) add_request(object, check.request);
    out.push_back(std::move(object));
  }
  return out;
}

json::value value_of(const MachineCheck& check) {
  json::object out;
  add(out, "command", check.command);
  if (!check.image.empty()) out["image"] = check.image;
  add(out, "entrypoint", check.entrypoint);
  add(out, "kill_signal", check.kill_signal);
  add(out, "kill_timeout", check.kill_timeout);
  return out;
}

void add_settings(json::object& out, const ServiceSettings& service) {
  out["internal_port"] = value_of(service.internal_port);
  add(out, "processes", service.processes);
  out["auto_stop_machines"] = name(service.auto_stop_machines);
  out["auto_start_machines"] = service.auto_start_machines.value_or(true);
  out["min_machines_running"] = service.min_machines_running;
  out["concurrency"] = value_of(service.concurrency);
  add(out, "machine_checks", service.machine_checks);
}

json::value value_of(const HttpService& service) {
  json::object out;
  add_settings(out, service);
  out["force_https"] = service.force_https;
  add(out, "tls_options", service.tls_options);
  add(out, "http_options", service.http_options);
  if (auto checks = checks_of(service.checks, CheckType::kHttp); !checks.empty())
    out["checks"] = std::move(checks);
  return out;
}

json::value value_of(const Service& service) {
  json::object out;
  add(out, "protocol", service.protocol);
  add_settings(out, service);
  out["ports"] = value_of(service.ports);
  if (auto checks = checks_of(service.checks, CheckType::kTcp); !checks.empty())
    out["tcp_checks"] = std::move(checks);
  if (auto checks = checks_of(service.checks, CheckType::kHttp); !checks.empty()) {
    out["http_checks"] = std::move(checks);
  }
  return out;
}

json::value value_of(const TopLevelCheck& check) {
  json::object out{{"type", name(check.type)}, {"port", value_of(check.port)}};
  add(out, "kind", check.kind);
  add_timing(out, check.timing);
  if (check.type == CheckType::kHttp) add_request(out, check.request);
  add(out, "processes", check.processes);
  return out;
}

json::value value_of(const Mount& mount) {
  json::object out{{"source", mount.source}, {"destination", mount.destination}};
  add(out, "initial_size", mount.initial_size_gb);
  add(out, "snapshot_retention", mount.snapshot_retention_days);
  add(out, "scheduled_snapshots", mount.scheduled_snapshots);
  add(out, "auto_extend_size_threshold", mount.auto_extend_threshold_percent);
  add(out, "auto_extend_size_increment", mount.auto_extend_increment_gb);
  add(out, "auto_extend_size_limit", mount.auto_extend_limit_gb);
  add(out, "processes", mount.processes);
  return out;
}

json::value value_of(const VmSettings& vm) {
  json::object out;
  add(out, "size", vm.size);
  add(out, "memory_mb", vm.memory_mb);
  add(out, "cpus", vm.cpus);
  add(out, "cpu_kind", vm.cpu_kind);
  add(out, "max_memory_mb", vm.max_memory_mb);
  add(out, "gpus", vm.gpus);
  add(out, "gpu_kind", vm.gpu_kind);
  add(out, "host_dedication_id", vm.host_dedication_id);
  add(out, "persist_rootfs", vm.persist_rootfs);
  add(out, "kernel_args", vm.kernel_args);
  add(out, "processes", vm.processes);
  return out;
}

json::value value_of(const Restart& restart) {
  json::object out{{"policy", name(restart.policy)}};
  add(out, "retries", restart.retries);
  add(out, "processes", restart.processes);
  return out;
}

json::value value_of(const GuestFile& file) {
  json::object out{{"guest_path", file.guest_path}};
  add(out, "local_path", file.local_path);
  add(out, "secret_name", file.secret_name);
  add(out, "raw_value", file.raw_value);
  add(out, "processes", file.processes);
  return out;
}

json::value value_of(const StaticMapping& mapping) {
  json::object out{{"guest_path", mapping.guest_path}, {"url_prefix", mapping.url_prefix}};
  add(out, "tigris_bucket", mapping.tigris_bucket);
  add(out, "index_document", mapping.index_document);
  return out;
}

json::value value_of(const Metrics& metrics) {
  json::object out{{"port", value_of(metrics.port)}, {"path", metrics.path}, {"https", metrics.https}};
  add(out, "processes", metrics.processes);
  return out;
}

json::object section_of(const Build& build) {
  json::object out;
  add(out, "image", build.image);
  add(out, "dockerfile", build.dockerfile);
  add(out, "build-target", build.target);
  add(out, "ignorefile", build.ignorefile);
  add(out, "args", build.args);
  return out;
}

json::object section_of(const Deploy& deploy) {
  json::object out;
  add(out, "strategy", deploy.strategy);
  add(out, "release_command", deploy.release_command);
  add(out, "release_command_timeout", deploy.release_command_timeout);
  add(out, "wait_timeout", deploy.wait_timeout);
  return out;
}

json::object section_of(const Experimental& experimental) {
  json::object out;
  add(out, "cmd", experimental.cmd);
  add(out, "entrypoint", experimental.entrypoint);
  add(out, "exec", experimental.exec);
  return out;
}

}  // namespace

boost::json::value to_json(const AppConfig& config) {
  json::object out{{"app", config.app}};
  add(out, "primary_region", config.primary_region);
  out["kill_signal"] = name(config.kill_signal);
  out["kill_timeout"] = value_of(config.kill_timeout);
  add(out, "swap_size_mb", config.swap_size_mb);
  add(out, "console_command", config.console_command);
  add(out, "env", config.env);
  add(out, "processes", config.processes);
  add(out, "experimental", section_of(config.experimental));
  add(out, "build", section_of(config.build));
  add(out, "deploy", section_of(config.deploy));
  add(out, "http_service", config.http_service);
  add(out, "services", config.services);
  json::object checks;
  for (const TopLevelCheck& check : config.checks) checks[check.name] = value_of(check);
  add(out, "checks", checks);
  add(out, "mounts", config.mounts);
  add(out, "vm", config.vm);
  add(out, "restart", config.restart);
  add(out, "files", config.files);
  add(out, "statics", config.statics);
  add(out, "metrics", config.metrics);
  json::object other;
  for (const auto& [path, value] : config.other) other[path] = value;
  add(out, "other", other);
  return out;
}

}  // namespace flylocal::config
