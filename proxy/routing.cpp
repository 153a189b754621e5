#include "proxy/routing.hpp"

#include <algorithm>
#include <array>

namespace flylocal::proxy {
namespace {

/// The host without its port and without the root's dot.
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

const PublishedPort* RoutingSnapshot::find_port(ListenerId id) const {
  auto found = std::find_if(ports.begin(), ports.end(), [id](const auto& port) { return port.id == id; });
  return found == ports.end() ? nullptr : &*found;
}

const Backend* RoutingSnapshot::find_backend(const PublishedPort& port, std::string_view host) const {
  std::array<char, 255> name;  // RFC 1035 2.3.4: no host name is longer
  host = without_port(host);
  auto index = port.default_backend;
  if (!port.routes.empty() && host.size() <= name.size()) {
    std::transform(host.begin(), host.end(), name.begin(), lower);
    auto route = port.routes.find(std::string_view(name.data(), host.size()));
    if (route != port.routes.end()) index = route->second;
  }
  return index && *index < port.backends.size() ? &port.backends[*index] : nullptr;
}

}  // namespace flylocal::proxy
