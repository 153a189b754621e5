#pragma once

namespace flylocal {

/// Owns one file descriptor: closes it when destroyed, moves but does not copy.
/// Descriptors are to be opened close-on-exec; a bare `int fd` in a signature is borrowed.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  /// Hands the descriptor over; the caller closes it.
  [[nodiscard]] int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  /// Closes what is held and takes `fd` (none by default).
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace flylocal
