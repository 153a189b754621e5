#pragma once

#include "flylocal/report/explanation.hpp"

namespace flylocal::report {

/// The codes with which Fly Proxy says why a request was not served (platform facts 4.8), as far as the sandbox's proxy
/// uses them: in its answers' bodies and in `flylocal requests`.
std::span<const Explanation> proxy_code_explanations();

/// The one of a code, in capitals or not; null when there is no such code.
const Explanation* explain_proxy_code(std::string_view code);

}  // namespace flylocal::report
