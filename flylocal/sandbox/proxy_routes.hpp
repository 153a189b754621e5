#pragma once

#include <memory>
#include <vector>

#include "flylocal/project/app_spec.hpp"
#include "flylocal/sandbox/machine.hpp"
#include "flylocal/sandbox/published_ports.hpp"
#include "proxy/routing.hpp"

namespace flylocal::sandbox {

/// What of the sandbox the proxy routes by, at one moment. What is pointed at has to outlive the call only.
struct ProxyFacts {
  const std::vector<project::AppSpec>* apps;
  const std::vector<std::shared_ptr<Machine>>* machines;  ///< in the order of their creation
  const std::vector<PublishedPort>* ports;
  const std::vector<EdgePort>* edge_ports;
  std::shared_ptr<const proxy::RegionDistances> distances;
};

/// The routes as the proxy is to see them: each service once, whether its clients come from the host or from machines,
/// with the machines that run, those that a request may wake, and a word on those that cannot serve.
std::shared_ptr<const proxy::RoutingSnapshot> proxy_routes(const ProxyFacts& facts);

/// Between all regions of the platform.
std::shared_ptr<const proxy::RegionDistances> region_distances();

}  // namespace flylocal::sandbox
