#pragma once

#include <optional>
#include <string>

#include "flylocal/api/client.hpp"

namespace flylocal::cli {

/// Connects to the user's running sandbox; complains and returns nothing when there is none.
std::optional<api::Client> connect_to_sandbox();

/// The sandbox's description; complains and returns nothing on failure.
std::optional<boost::json::object> fetch_status(api::Client& client);

/// The one machine that is meant: by id (or its beginning), else by app, else the only app's. Prefers started ones;
/// complains and returns nothing when it is not clear.
std::optional<boost::json::object> choose_machine(const boost::json::object& status, const std::string& app, const std::string& machine);

/// A string member of a JSON object; empty when it is not there.
std::string text_of(const boost::json::object& object, std::string_view key);

}  // namespace flylocal::cli
