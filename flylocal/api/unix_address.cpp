#include "flylocal/api/unix_address.hpp"

#include <fcntl.h>
#include <fmt/format.h>

namespace flylocal::api {

Result<UnixAddress> UnixAddress::of(const std::filesystem::path& path) {
  UnixAddress address;
  address.directory.reset(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!address.directory) return system_error("open " + path.parent_path().string(), errno);
  address.endpoint = boost::asio::local::stream_protocol::endpoint(
      fmt::format("/proc/self/fd/{}/{}", address.directory.get(), path.filename().string()));
  return address;
}

}  // namespace flylocal::api
