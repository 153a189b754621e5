#pragma once

#include <boost/json/value.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flylocal/base/result.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::api {

/// A request to the control socket.
struct Request {
  std::string method;
  std::vector<std::string> path;             ///< decoded segments, e.g. {"v1", "apps", "web", "machines"}
  std::map<std::string, std::string> query;  ///< decoded
  std::string body;
  std::map<std::string, std::string> params;  ///< what the route's {names} stand for

  /// The body as a JSON object; an empty body is an empty object. Error: it is neither.
  Result<boost::json::object> json_body() const;
  /// A query parameter, or nothing.
  std::string get(const std::string& name, std::string otherwise = {}) const;
};

struct Reply {
  unsigned status = 200;
  std::string body;
  std::string content_type = "application/json";

  static Reply json(const boost::json::value& value, unsigned status = 200);
  /// {"error": message, "status": "unknown"}: the platform's form (platform facts 9.1).
  static Reply error(unsigned status, const std::string& message);
};

/// A connection that a handler takes over: it answers the request's head by accept() or refuse(), once.
class Stream {
 public:
  virtual ~Stream() = default;
  /// 101 when the client asked to upgrade, else 200 with a body that lasts until the connection ends. False when the
  /// client is gone.
  virtual Task<bool> accept() = 0;
  virtual Task<> refuse(Reply reply) = 0;
  /// Some bytes; none at the end.
  virtual Task<std::string> read() = 0;
  /// False when the client is gone.
  virtual Task<bool> write(std::string_view bytes) = 0;
};

/// Serves the control API: HTTP/1.1 over a Unix socket that only its owner's processes may use (mode 0600 and
/// SO_PEERCRED). Routes are patterns like "/v1/apps/{app}/machines". Belongs to the main thread.
class ControlServer {
 public:
  using Handler = std::function<Task<Reply>(const Request&)>;
  using StreamHandler = std::function<Task<>(const Request&, Stream&)>;

  explicit ControlServer(Executor executor);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ~ControlServer();

  void route(std::string method, std::string pattern, Handler handler);
  /// A route that answers with a stream of its own.
  void stream(std::string method, std::string pattern, StreamHandler handler);

  /// Listens. A socket that a dead owner left is replaced: the caller holds the state lock, so no owner is alive.
  Result<> listen(const std::filesystem::path& socket_path);
  /// Closes, waits for the connections in progress and removes the socket.
  Task<> shutdown();

 private:
  struct Impl;  // keeps Beast in one file
  std::unique_ptr<Impl> impl_;
};

}  // namespace flylocal::api
