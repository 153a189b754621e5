#pragma once

#include <boost/json/value.hpp>

#include "flylocal/config/app_config.hpp"

namespace flylocal::config {

/// The model in fly.toml's own key names and present-day shapes (durations as Go text, lists for what may be
/// a list), for `flylocal config show`. Includes the defaults that apply; leaves out what the file does not
/// set.
boost::json::value to_json(const AppConfig& config);

}  // namespace flylocal::config
