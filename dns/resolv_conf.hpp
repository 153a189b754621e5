#pragma once

#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flylocal::dns {

/// Gives the index of a network interface by its name, 0 for none, as if_nametoindex(3) does.
using InterfaceIndex = std::function<unsigned(const std::string& interface_name)>;

/// The upstream resolvers named in the text of a resolv.conf(5), in order, at most three as the C library
/// takes, with port 53. Lines that name no usable address are passed over, and so is `fdaa::3`: a resolver
/// must not be its own upstream.
std::vector<boost::asio::ip::udp::endpoint> parse_resolv_conf(std::string_view text,
                                                              const InterfaceIndex& interface_index);

}  // namespace flylocal::dns
