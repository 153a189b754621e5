#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flylocal/report/http_answer.hpp"

namespace flylocal::report {

/// How a server or framework says itself that it refuses the Host of a request. Only that tells it from a server that turns
/// everybody down, where it refuses all hosts that we can name.
struct HostRefusal {
  std::string words;     ///< its own
  std::string_view fix;  ///< what to change in that framework; empty: the words do not tell which one it is
};

/// What the answer's body says, or its status, where that is 421 (RFC 9110 15.5.20); nothing where it may be about anything
/// else.
std::optional<HostRefusal> find_host_refusal(const HttpAnswer& answer);

/// The newest of `lines` of the program's output (oldest first) that says so of `host`: in production frameworks tell the
/// visitor nothing.
std::optional<HostRefusal> find_host_refusal(std::span<const std::string> lines, std::string_view host);

}  // namespace flylocal::report
