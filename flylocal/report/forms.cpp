#include "flylocal/report/forms.hpp"

#include <algorithm>
#include <array>

namespace flylocal::report {
namespace {

/// In the order of Form.
constexpr std::array<std::string_view, 6> kNames{"text", "json", "junit", "sarif", "github", "markdown"};

}  // namespace

std::span<const std::string_view> form_names() { return kNames; }

std::optional<Form> parse_form(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Form>(found - kNames.begin());
}

}  // namespace flylocal::report
