#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flylocal/platform/addressing.hpp"
#include "flylocal/project/app_spec.hpp"

namespace flylocal::sandbox {

/// The networks of a sandbox, by organization and name.
using NetworkNumbers = std::map<std::pair<std::string, std::string>, platform::NetworkNumber>;

/// Where Fly Proxy takes traffic for an app.
struct AppAddresses {
  std::optional<boost::asio::ip::address_v4> public_ipv4;
  std::optional<boost::asio::ip::address_v6> public_ipv6;
  std::optional<boost::asio::ip::address_v6> flycast;
};

/// The addresses of each app, by its name: those of the kinds that its ip_addresses name. Where they are not said, an
/// app with a service has the public ones and no Flycast address, as after its first `fly deploy`. `networks` has the
/// network of every app.
std::map<std::string, AppAddresses> app_addresses(const std::vector<project::AppSpec>& apps, const NetworkNumbers& networks);

}  // namespace flylocal::sandbox
