#include "flylocal/config/process_groups.hpp"

#include <algorithm>

#include "flylocal/config/vm_sizes.hpp"

namespace flylocal::config {
namespace {

constexpr std::string_view kAppGroup = "app";

bool names(const std::vector<std::string>& processes, std::string_view group) {
  return std::find(processes.begin(), processes.end(), group) != processes.end();
}

/// Entries without `processes` are the default group's, except for vm.
template <class Entry>
bool applies(const Entry& entry, std::string_view group, std::string_view default_name) {
  return entry.processes.empty() ? group == default_name : names(entry.processes, group);
}

template <class Entry>
std::vector<Entry> entries_of(const std::vector<Entry>& entries, std::string_view group,
                              std::string_view default_name) {
  std::vector<Entry> out;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(out),
               [&](const Entry& entry) { return applies(entry, group, default_name); });
  return out;
}

/// An entry that names the group wins over one for all groups; among equals, the first.
const VmSettings* vm_of(const std::vector<VmSettings>& entries, std::string_view group) {
  const VmSettings* for_all = nullptr;
  for (const VmSettings& entry : entries) {
    if (names(entry.processes, group)) return &entry;
    if (entry.processes.empty() && !for_all) for_all = &entry;
  }
  return for_all;
}

/// `size` sets all, the single values override it (platform.md 7.6).
GuestSize guest_size(const VmSettings* vm) {
  GuestSize out;
  if (!vm) return out;
  const bool gpu = vm->gpu_kind && !vm->gpu_kind->empty();
  if (const auto size = find_vm_size(vm->size.value_or(gpu ? "performance-8x" : "shared-cpu-1x"))) {
    out = {std::string(size->cpu_kind), size->cpus, size->memory_mb};
  }
  if (vm->cpu_kind && !vm->cpu_kind->empty()) out.cpu_kind = *vm->cpu_kind;
  if (vm->cpus) out.cpus = *vm->cpus;
  if (vm->memory_mb) out.memory_mb = *vm->memory_mb;
  return out;
}

}  // namespace

std::vector<std::string> process_groups(const AppConfig& config) {
  std::vector<std::string> out;
  for (const auto& [group, command] : config.processes) out.push_back(group);
  if (out.empty()) out.emplace_back(kAppGroup);
  return out;
}

std::string default_group(const AppConfig& config) {
  if (config.processes.empty() || config.processes.contains(std::string(kAppGroup)))
    return std::string(kAppGroup);
  return config.processes.begin()->first;
}

Service as_service(const HttpService& service) {
  Service out;
  static_cast<ServiceSettings&>(out) = service;
  out.protocol = TransportProtocol::kTcp;
  ServicePort plain;
  plain.range = {80, 80};
  plain.handlers = {Handler::kHttp};
  plain.force_https = service.force_https;
  plain.http_options = service.http_options;
  plain.place = service.place;
  ServicePort secure;
  secure.range = {443, 443};
  secure.handlers = {Handler::kHttp, Handler::kTls};
  secure.http_options = service.http_options;
  secure.tls_options = service.tls_options;
  secure.place = service.place;
  out.ports = {std::move(plain), std::move(secure)};
  return out;
}

GroupConfig flatten(const AppConfig& config, std::string_view group) {
  const std::string default_name = default_group(config);
  GroupConfig out;
  out.group = group;
  const auto process = config.processes.find(out.group);
  if (process != config.processes.end() && !process->second.empty()) out.command = process->second;
  if (config.http_service && applies(*config.http_service, group, default_name)) {
    out.services.push_back(as_service(*config.http_service));
  }
  for (Service& service : entries_of(config.services, group, default_name))
    out.services.push_back(std::move(service));
  out.checks = entries_of(config.checks, group, default_name);
  const auto mounts = entries_of(config.mounts, group, default_name);
  if (!mounts.empty()) out.mount = mounts.front();
  out.files = entries_of(config.files, group, default_name);
  out.statics = config.statics;
  const auto restarts = entries_of(config.restart, group, default_name);
  if (!restarts.empty()) out.restart = restarts.back();
  const auto metrics = entries_of(config.metrics, group, default_name);
  if (!metrics.empty()) out.metrics = metrics.front();
  out.guest = guest_size(vm_of(config.vm, group));
  out.env = config.env;
  if (config.primary_region) out.env.insert_or_assign("PRIMARY_REGION", *config.primary_region);
  out.env.insert_or_assign("FLY_PROCESS_GROUP", out.group);
  out.kill_signal = config.kill_signal;
  out.kill_timeout = config.kill_timeout;
  out.swap_size_mb = config.swap_size_mb;
  return out;
}

}  // namespace flylocal::config
