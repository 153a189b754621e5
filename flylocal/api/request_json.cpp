#include "flylocal/api/request_json.hpp"

#include <boost/json.hpp>
#include <chrono>

#include "flylocal/base/utf8.hpp"

namespace flylocal::api {
namespace {

namespace json = boost::json;

/// A target may hold any octet above ASCII.
json::string text(const std::string& octets) { return json::string(to_valid_utf8(octets)); }

json::value text_or_null(const std::string& octets) { return octets.empty() ? json::value(nullptr) : json::value(text(octets)); }

json::value milliseconds_or_null(std::chrono::nanoseconds time) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  return time.count() > 0 ? json::value(std::chrono::duration_cast<Milliseconds>(time).count()) : json::value(nullptr);
}

}  // namespace

json::object request_json(const proxy::LoggedRequest& request) {
  return {{"number", request.number},
          {"timestamp", std::chrono::duration_cast<std::chrono::milliseconds>(request.at.time_since_epoch()).count()},
          {"edge_region", text(request.edge_region)},
          {"client", text(request.client)},
          {"protocol", proxy::name(request.protocol)},
          {"secure", request.secure},
          {"method", text(request.method)},
          {"host", text(request.host)},
          {"target", text(request.target)},
          {"request_id", text(request.request_id)},
          {"app", text_or_null(request.app)},
          {"machine", text_or_null(request.machine)},
          {"region", text_or_null(request.region)},
          {"choice", text_or_null(request.choice)},
          {"status", request.status > 0 ? json::value(request.status) : json::value(nullptr)},
          {"error", text_or_null(request.error)},
          {"detail", text_or_null(request.detail)},
          {"aborted", request.aborted},
          {"retries", request.retries},
          {"reused", request.reused},
          {"woken", text_or_null(request.woken)},
          {"wake_ms", milliseconds_or_null(request.wake)},
          {"queue_ms", milliseconds_or_null(request.queue)},
          {"connect_ms", milliseconds_or_null(request.connect)},
          {"first_byte_ms", milliseconds_or_null(request.first_byte)},
          {"total_ms", std::chrono::duration<double, std::milli>(request.total).count()},
          {"bytes_up", request.bytes_up},
          {"bytes_down", request.bytes_down}};
}

}  // namespace flylocal::api
