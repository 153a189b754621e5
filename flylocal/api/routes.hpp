#pragma once

#include <functional>

#include "flylocal/api/control_server.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::api {

/// The platform's Machines API, as far as it makes sense here (platform facts 9): apps, machines, start, stop,
/// restart, suspend, cordon, uncordon, signal, wait, exec, ps, events, metadata.
void add_machine_routes(ControlServer& server, sandbox::Sandbox& sandbox);

/// What is ours: /flylocal/v1/ status, report, logs, scale, tick, shutdown, and the DNS routes. `request_shutdown` starts the end of
/// the sandbox.
void add_sandbox_routes(ControlServer& server, sandbox::Sandbox& sandbox, std::function<void()> request_shutdown);

/// What is asked about names: /flylocal/v1/dns (a query), dns/log, dns/explain.
void add_dns_routes(ControlServer& server, sandbox::Sandbox& sandbox);

/// The proxy's log of requests: /flylocal/v1/requests.
void add_request_routes(ControlServer& server, sandbox::Sandbox& sandbox);

/// The two that take the connection over: a console in a machine and a dialled connection to one.
void add_stream_routes(ControlServer& server, sandbox::Sandbox& sandbox);

}  // namespace flylocal::api
