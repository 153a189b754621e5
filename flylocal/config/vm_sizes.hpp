#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace flylocal::config {

/// A named machine size (platform.md 7.6).
struct VmSize {
  std::string_view name;
  std::string_view cpu_kind;
  int cpus;
  int memory_mb;
};

std::optional<VmSize> find_vm_size(std::string_view name);
std::vector<std::string_view> vm_size_names();

}  // namespace flylocal::config
