#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>

#include "flylocal/base/result.hpp"
#include "flylocal/base/unique_fd.hpp"

namespace flylocal::api {

/// A Unix socket's address for a path of any length: sockaddr_un holds 108 bytes, so a longer path is reached
/// through a descriptor of its directory, which has to live until the address was used. unix(7)
struct UnixAddress {
  UniqueFd directory;
  boost::asio::local::stream_protocol::endpoint endpoint;

  static Result<UnixAddress> of(const std::filesystem::path& path);
};

}  // namespace flylocal::api
