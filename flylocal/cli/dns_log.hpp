#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

namespace flylocal::cli {

struct DnsLogOptions {
  bool follow = false;
  bool json = false;
  std::string app, machine, name;
  std::optional<unsigned> count;  ///< of the questions so far, only the last ones
};

/// A line of /flylocal/v1/dns/log as people see it:
/// `12:01:02.345 hello[3d8d413b29d089] AAAA two.internal -> fdaa:0:18:a7b::2 (zone, 0.1 ms)`.
std::string dns_log_text(const boost::json::object& question);

/// `flylocal dns log`: who asked the sandbox's resolver what, and which answer it got.
int dns_log(const DnsLogOptions& options);

}  // namespace flylocal::cli
