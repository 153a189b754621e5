#pragma once

#include <string>
#include <string_view>

#include "flylocal/report/program.hpp"
#include "flylocal/report/tcp_verdict.hpp"

namespace flylocal::report {

/// What the machine's program is, as far as `port` is concerned: the one that holds a socket on it, else the first
/// process that is known; null when none is.
const Program* program_on(const MachineView& view, std::uint16_t port);

/// What to do about a verdict's code, for the program that was seen (may be null) and `port`; may be empty, may have
/// several lines. The program's own line comes first.
std::string advise(const MachineView& view, const Program* program, std::string_view code, std::uint16_t port);

}  // namespace flylocal::report
