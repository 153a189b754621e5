#pragma once

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <string>

#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::api {

/// RFC 3339 in UTC, to the second.
std::string rfc3339(std::chrono::system_clock::time_point at);

/// How the machine's checks stand, as the Machines API shows them, with each one's port.
boost::json::array checks_json(const sandbox::Machine& machine);

/// A machine as the Machines API shows it (platform facts 9.3), with its newest events.
boost::json::object machine_json(sandbox::Sandbox& sandbox, const sandbox::Machine& machine);

}  // namespace flylocal::api
