#pragma once

#include <memory>
#include <vector>

#include "flylocal/base/unique_fd.hpp"
#include "proxy/worker.hpp"

namespace flylocal::proxy {

using Workers = std::vector<std::shared_ptr<Worker>>;

/// One listening socket: gives each client to the worker that has the fewest. Lives on the first worker's thread. Sockets of
/// their own for all workers (SO_REUSEPORT) would not do: clients are spread by chance then, and a second sandbox of the
/// same user could take the port as well.
class Listener final : private Turn {
 public:
  /// `socket` is bound and listening; it becomes non-blocking.
  Listener(const Workers& workers, ListenerId id, UniqueFd socket);

  /// There may be room for clients again.
  void resume();

 private:
  void take_turn() override;
  bool accept_one();
  void hand_over(UniqueFd socket, const asio::ip::tcp::endpoint& peer);
  void on_accept_error(int error);

  const Workers& workers_;
  Worker& own_;
  ListenerId id_;
  asio::ip::tcp::endpoint local_;
  Socket socket_;
  Deadline pause_;
  bool error_logged_ = false;
};

}  // namespace flylocal::proxy
