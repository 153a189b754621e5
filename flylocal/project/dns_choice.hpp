#pragma once

#include <boost/asio/ip/udp.hpp>
#include <string>
#include <vector>

#include "dns/zone.hpp"
#include "flylocal/project/app_spec.hpp"

namespace flylocal::project {

/// How the one resolver of a sandbox works.
struct DnsSettings {
  /// Fixed unless somebody wants otherwise: the platform's documentation promises no rotation, getaddrinfo() sorts by
  /// itself (RFC 6724), and tests find the same order at every run.
  dns::AnswerOrder order = dns::AnswerOrder::fixed;
  bool reverse_names = false;
  std::vector<boost::asio::ip::udp::endpoint> servers;  ///< empty: the host's resolvers
  std::vector<std::string> notes;                       ///< whose wish was not followed, for the user
};

/// Settles what the command line and the projects' flylocal.toml say: the command line goes before all, then the first
/// project that says something. A project that says something else gets a note.
DnsSettings choose_dns(const launch::DnsChoices& command_line, const std::vector<AppSpec>& apps);

}  // namespace flylocal::project
