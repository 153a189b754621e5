#include "proxy/io/socket.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace flylocal::proxy {

void Socket::adopt(UniqueFd fd) {
  poller_.add(fd.get(), *this);
  fd_ = std::move(fd);
  readable_ = writable_ = peer_ended_ = broken_ = false;
}

UniqueFd Socket::release() {
  if (fd_) poller_.remove(fd_.get());
  return std::move(fd_);
}

void Socket::close() {
  if (!fd_) return;
  poller_.remove(fd_.get());
  fd_.reset();
}

void Socket::reset() {
  linger abort{.l_onoff = 1, .l_linger = 0};
  if (fd_) ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close();
}

Transfer Socket::read(std::span<char> space) {
  if (!readable_) return {Transfer::Status::blocked};
  ssize_t got = ::recv(fd_.get(), space.data(), space.size(), 0);
  if (got > 0) {
    // epoll(7): a short read says that the queue is empty, unless the end is already behind the bytes.
    readable_ = static_cast<std::size_t>(got) == space.size() || peer_ended_ || broken_;
    return {Transfer::Status::moved, static_cast<std::size_t>(got)};
  }
  if (got == 0) {
    peer_ended_ = true;
    return {Transfer::Status::closed};
  }
  int error = errno;
  if (error == EAGAIN) {
    readable_ = false;
    return {Transfer::Status::blocked};
  }
  broken_ = true;
  return {Transfer::Status::failed, 0, error};
}

Transfer Socket::write(std::span<iovec> pieces) {
  if (!writable_) return {Transfer::Status::blocked};
  std::size_t offered = 0;
  for (const iovec& piece : pieces) offered += piece.iov_len;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  ssize_t sent = pieces.size() == 1 ? ::send(fd_.get(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL)
                                    : ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  if (sent >= 0) {
    // A short write means that the queue is full: Linux then reports when there is room again.
    writable_ = static_cast<std::size_t>(sent) == offered;
    return {Transfer::Status::moved, static_cast<std::size_t>(sent)};
  }
  int error = errno;
  if (error == EAGAIN) {
    writable_ = false;
    return {Transfer::Status::blocked};
  }
  broken_ = true;
  return {Transfer::Status::failed, 0, error};
}

void Socket::shutdown_write() {
  if (fd_) ::shutdown(fd_.get(), SHUT_WR);
}

void Socket::note(std::uint32_t events) {
  if (events & EPOLLIN) readable_ = true;
  if (events & EPOLLOUT) writable_ = true;
  if (events & EPOLLRDHUP) readable_ = peer_ended_ = true;
  // A hang-up says that both directions have ended, as is normal after both sides' shutdown(2).
  if (events & (EPOLLHUP | EPOLLERR)) readable_ = writable_ = true;
  if (events & EPOLLHUP) peer_ended_ = true;
  if (events & EPOLLERR) broken_ = true;
  poller_.schedule(*owner_);
}

}  // namespace flylocal::proxy
