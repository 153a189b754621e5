#include "flylocal/cli/sandbox_client.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <vector>

#include "flylocal/cli/output.hpp"
#include "flylocal/store/state_directory.hpp"

namespace flylocal::cli {

namespace json = boost::json;

std::optional<api::Client> connect_to_sandbox() {
  auto directory = store::state_directory();
  if (!directory) {
    complain(directory.error().message);
    return std::nullopt;
  }
  auto client = api::Client::connect(*directory);
  if (!client) {
    complain(client.error().message);
    return std::nullopt;
  }
  return std::move(*client);
}

std::optional<json::object> fetch_status(api::Client& client) {
  auto status = client.call("GET", "/flylocal/v1/status");
  if (!status) {
    complain(status.error().message);
    return std::nullopt;
  }
  return status->as_object();
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<json::object> choose_machine(const json::object& status, const std::string& app, const std::string& machine) {
  std::vector<const json::object*> candidates;
  for (const json::value& value : status.at("machines").as_array()) {
    const json::object& one = value.as_object();
    if ((!app.empty() && text_of(one, "app") != app) || !text_of(one, "id").starts_with(machine)) continue;
    candidates.push_back(&one);
  }
  if (candidates.empty()) {
    complain(machine.empty() ? fmt::format("no machine{} in this sandbox", app.empty() ? "" : " of app " + app)
                             : fmt::format("no machine {}{}; `flylocal machine list` shows them", machine, app.empty() ? "" : " of app " + app));
    return std::nullopt;
  }
  if (!machine.empty() && candidates.size() > 1) {
    complain(fmt::format("{} is the beginning of {} machine ids; give more of it", machine, candidates.size()));
    return std::nullopt;
  }
  if (app.empty() && machine.empty() && status.at("apps").as_array().size() > 1) {
    std::vector<std::string> apps;
    for (const json::value& value : status.at("apps").as_array()) apps.push_back(text_of(value.as_object(), "name"));
    complain(fmt::format("several apps run here: say which with -a ({})", fmt::join(apps, ", ")));
    return std::nullopt;
  }
  for (const json::object* one : candidates)
    if (text_of(*one, "state") == "started") return *one;
  return *candidates.front();
}

}  // namespace flylocal::cli
