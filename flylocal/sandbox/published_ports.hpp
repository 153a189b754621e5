#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"
#include "flylocal/project/app_spec.hpp"
#include "proxy/routing.hpp"

namespace flylocal::sandbox {

/// One service of one process group, offered on an external port, with the host port that stands for it.
struct PublishedPort {
  proxy::ListenerId id{};
  std::uint16_t external_port = 0;
  std::uint16_t host_port = 0;
  proxy::Handlers handlers;
  /// The region whose edge takes its clients, by [edges] of flylocal.toml; empty: the sandbox's.
  std::string edge_region;
  /// The apps behind it and the internal port of each; one app unless clients say a host name first (HTTP, TLS).
  struct Backend {
    std::string app;
    std::string process_group;
    std::uint16_t internal_port = 0;
    proxy::TlsOptions tls;
    proxy::HttpOptions http;
  };
  std::vector<Backend> backends;
  std::vector<UniqueFd> listeners;  ///< 127.0.0.1 and, where the host has it, ::1; handed to the proxy once

  /// Where a client on the host finds an app: "https://shop.localhost:8443/", "tcp localhost:5432".
  std::string url(std::string_view app) const;
};

/// A port on which Fly Proxy takes traffic for an app, and who gets it.
struct OfferedPort {
  std::uint16_t external_port = 0;
  proxy::Handlers handlers;
  PublishedPort::Backend backend;
};

/// One port of an app's public addresses in the backbone, where the sandbox's own machines dial it.
struct EdgePort {
  proxy::ListenerId id{};
  OfferedPort offered;
};

/// What an app's services offer, as far as it is emulated, each external port once; and a note for what is not.
struct PortOffer {
  std::vector<OfferedPort> ports;
  std::vector<std::string> notes;
};
PortOffer offered_ports(const project::AppSpec& app);

/// All ports of a sandbox, and what could not be had.
struct PortPlan {
  std::vector<PublishedPort> ports;
  std::vector<std::string> notes;  ///< a busy port that was replaced, a service that this version does not publish
};

/// Which ports of the host stand for the services' external ones.
enum class HostPorts {
  kUsual,    ///< the same at every run, as far as they are free
  kAnyFree,  ///< whichever the kernel gives, another one for each app: for several sandboxes at once
};

/// Opens the host ports for the services of `apps`, in the calling thread's network namespace: loopback only. kUsual:
/// External port 80 is 8080 on the host, a port below 1024 is 8000 more, others are themselves; [ports] of
/// flylocal.toml overrides. HTTP ports of several apps are shared (told apart by host name); a busy port is
/// replaced by the next free one, unless flylocal.toml names it: then it is an Error. [edges] adds further host ports for an
/// app's port 80.
Result<PortPlan> open_ports(const std::vector<project::AppSpec>& apps, HostPorts host_ports = HostPorts::kUsual);

/// The host names that reach `app` on a shared HTTP port: those that flylocal and the platform give it, and its domains.
std::vector<std::string> host_names(const project::AppSpec& app);

}  // namespace flylocal::sandbox
