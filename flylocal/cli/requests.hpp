#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

namespace flylocal::cli {

struct RequestsOptions {
  bool follow = false;
  bool json = false;
  std::string app;
  std::optional<unsigned> count;  ///< of the requests so far, only the last ones
};

/// A line of /flylocal/v1/requests as people see it:
/// `12:01:02.345 ams GET hello.localhost/orders 200 3d8d413b29d089[ams] connect 0.2 ms, first byte 3.1 ms, total 3.2 ms`.
std::string request_text(const boost::json::object& request);

/// `flylocal requests`: what clients asked the proxy for, which machine answered, and how long it took.
int requests(const RequestsOptions& options);

}  // namespace flylocal::cli
