#include "flylocal/api/log_stream.hpp"
#include "flylocal/api/request_json.hpp"
#include "flylocal/api/routes.hpp"

namespace flylocal::api {
namespace {

Task<std::vector<proxy::LoggedRequest>> requests_since(const proxy::Proxy& proxy, std::uint64_t from, std::size_t most) {
  co_return proxy.logged_since(from, most);
}

Task<> stream_requests(sandbox::Sandbox& sandbox, const Request& request, Stream& stream) {
  const std::string app = request.get("app");
  const proxy::Proxy& proxy = sandbox.proxy();
  const LogSource<proxy::LoggedRequest> source{
      .end = [&proxy] { return proxy.logged_end(); },
      .since = [&proxy](std::uint64_t from, std::size_t most) { return requests_since(proxy, from, most); },
      .line = [&app](const proxy::LoggedRequest& one) { return app.empty() || one.app == app ? std::optional(request_json(one)) : std::nullopt; },
      .slots = proxy::RequestLog::kSlots};
  co_await stream_log(sandbox.logs(), request, stream, source);
}

}  // namespace

void add_request_routes(ControlServer& server, sandbox::Sandbox& sandbox) {
  server.stream("GET", "/flylocal/v1/requests",
                [&sandbox](const Request& request, Stream& stream) -> Task<> { co_await stream_requests(sandbox, request, stream); });
}

}  // namespace flylocal::api
