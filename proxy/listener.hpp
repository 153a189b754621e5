#pragma once

#include "flylocal/base/unique_fd.hpp"
#include "proxy/edge.hpp"

namespace flylocal::proxy {

/// One listening socket: gives each client a session of the kind its port asks for.
class Listener final : private Turn {
 public:
  /// `socket` is bound and listening; it becomes non-blocking.
  Listener(Edge& edge, ListenerId id, UniqueFd socket);

  /// There may be room for clients again.
  void resume();

 private:
  void take_turn() override;
  bool accept_one();
  void begin_session(UniqueFd socket, const asio::ip::tcp::endpoint& peer);
  void on_accept_error(int error);

  Edge& edge_;
  ListenerId id_;
  asio::ip::tcp::endpoint local_;
  Socket socket_;
  Deadline pause_;
  bool error_logged_ = false;
};

}  // namespace flylocal::proxy
