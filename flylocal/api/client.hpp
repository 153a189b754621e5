#pragma once

#include <boost/json/value.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::api {

/// The command line's end of the control socket. Blocking; one request at a time.
class Client {
 public:
  /// Connects to the sandbox of a state directory. Error: none runs, in words for the user.
  static Result<Client> connect(const std::filesystem::path& state_directory);
  Client(Client&&) noexcept;
  ~Client();

  /// Answers of call() and call_raw() may take ten seconds, which says that a sandbox is suspended; from now on they
  /// may take any time, for what waits for machines.
  void wait_without_limit();
  /// Sends a request and returns the answer's JSON. Error: the server's own message for a status from 400 up.
  Result<boost::json::value> call(const std::string& method, const std::string& target, const boost::json::value& body = nullptr);
  /// The same with bodies of another kind.
  Result<std::string> call_raw(const std::string& method, const std::string& target, std::string body);
  /// Reads a streamed answer line by line until its end, or until `on_line` returns false.
  Result<> stream(const std::string& target, const std::function<bool(const std::string&)>& on_line);
  /// Takes the connection out of HTTP: what follows is the handler's own protocol, on a blocking socket.
  Result<UniqueFd> upgrade(const std::string& target, const boost::json::value& body);

  /// The sandbox's process; readable when it has ended (pidfd_open(2)).
  Result<UniqueFd> server_pidfd() const;

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// `text` for use in a path or a query.
std::string url_encode(std::string_view text);

}  // namespace flylocal::api
