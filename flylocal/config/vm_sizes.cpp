#include "flylocal/config/vm_sizes.hpp"

namespace flylocal::config {
namespace {

constexpr int kSharedMb = 256;        // per CPU
constexpr int kPerformanceMb = 2048;  // per CPU
constexpr int kGpuMb = 16 * kPerformanceMb;

constexpr VmSize kVmSizes[] = {
    {"shared-cpu-1x", "shared", 1, 1 * kSharedMb},
    {"shared-cpu-2x", "shared", 2, 2 * kSharedMb},
    {"shared-cpu-4x", "shared", 4, 4 * kSharedMb},
    {"shared-cpu-6x", "shared", 6, 6 * kSharedMb},
    {"shared-cpu-8x", "shared", 8, 8 * kSharedMb},
    {"performance-1x", "performance", 1, 1 * kPerformanceMb},
    {"performance-2x", "performance", 2, 2 * kPerformanceMb},
    {"performance-4x", "performance", 4, 4 * kPerformanceMb},
    {"performance-6x", "performance", 6, 6 * kPerformanceMb},
    {"performance-8x", "performance", 8, 8 * kPerformanceMb},
    {"performance-10x", "performance", 10, 10 * kPerformanceMb},
    {"performance-12x", "performance", 12, 12 * kPerformanceMb},
    {"performance-14x", "performance", 14, 14 * kPerformanceMb},
    {"performance-16x", "performance", 16, 16 * kPerformanceMb},
    {"a10", "performance", 8, kGpuMb},
    {"l40s", "performance", 8, kGpuMb},
    {"a100-40gb", "performance", 8, kGpuMb},
    {"a100-80gb", "performance", 8, kGpuMb},
};

}  // namespace

std::optional<VmSize> find_vm_size(std::string_view name) {
  for (const VmSize& size : kVmSizes) {
    if (size.name == name) return size;
  }
  return std::nullopt;
}

std::vector<std::string_view> vm_size_names() {
  std::vector<std::string_view> out;
  for (const VmSize& size : kVmSizes) out.push_back(size.name);
  return out;
}

}  // namespace flylocal::config
