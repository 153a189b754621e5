#pragma once

#include <boost/json/object.hpp>

#include "proxy/request_log.hpp"

namespace flylocal::api {

/// One line of /flylocal/v1/requests. Times are in milliseconds, those that do not apply are null.
boost::json::object request_json(const proxy::LoggedRequest& request);

}  // namespace flylocal::api
