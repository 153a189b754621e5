#pragma once

#include "flylocal/report/tcp_verdict.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::report {

/// Reads what is to be seen of a machine now: its state in words, its sockets and their owners, what its program said.
MachineView view_machine(sandbox::Sandbox& sandbox, sandbox::Machine& machine);

/// The words of the machine's main program, as typed.
std::string command_of(const sandbox::Machine& machine);

}  // namespace flylocal::report
