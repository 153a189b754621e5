#pragma once

#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/base/result.hpp"

namespace flylocal::dns {

/// Gives the index of a network interface by its name, 0 for none, as if_nametoindex(3) does.
using InterfaceIndex = std::function<unsigned(const std::string& interface_name)>;
/// Of the network namespace of the calling thread.
unsigned host_interface_index(const std::string& interface_name);

/// What a resolv.conf(5) says, as far as it matters here.
struct ResolvConf {
  /// The resolvers in their order, at most three as the C library takes, with port 53.
  std::vector<boost::asio::ip::udp::endpoint> upstreams;
  /// The domains of the last `search` or `domain` line, without the last dot. Machines do not have them: their resolv.conf is the
  /// platform's. So a name that is found on the host by one of these is not found in a machine.
  std::vector<std::string> search;
};

/// Reads the text of a resolv.conf(5). Lines that name no usable address are passed over, and so is all of `fdaa::/16`:
/// there the sandbox itself answers, and a resolver must not be its own upstream, in however many steps.
ResolvConf parse_resolv_conf(std::string_view text, const InterfaceIndex& interface_index = host_interface_index);

/// Reads an upstream resolver as a user writes it: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, the port being 53 where none is given. A
/// link-local address has its interface behind it, by name or number: fe80::1%eth0. Fails for anything else, a host's name
/// included, and for the addresses of `fdaa::/16`.
Result<boost::asio::ip::udp::endpoint> parse_upstream(std::string_view text,
                                                      const InterfaceIndex& interface_index = host_interface_index);

}  // namespace flylocal::dns
