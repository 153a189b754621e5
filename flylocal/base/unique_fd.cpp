#include "flylocal/base/unique_fd.hpp"

#include <unistd.h>

namespace flylocal {

void UniqueFd::reset(int fd) {
  // close(2): after EINTR the descriptor is gone on Linux, so it is never tried twice.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace flylocal
