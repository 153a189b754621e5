#pragma once

#include <chrono>
#include <list>
#include <memory>

#include "dns/query_service.hpp"
#include "dns/tcp_connection.hpp"
#include "flylocal/base/task_group.hpp"

namespace flylocal::dns {

/// Accepts on one listening socket and owns its connections.
class TcpListener {
 public:
  struct Limits {
    std::chrono::milliseconds idle_timeout;
    std::size_t max_connections;
  };

  /// `service` and `tasks` have to live until run() and all connections have ended.
  TcpListener(TcpAcceptor acceptor, NetworkId network, QueryService& service, TaskGroup& tasks, Limits limits)
      : acceptor_(std::move(acceptor)),
        network_(network),
        service_(service),
        tasks_(tasks),
        limits_(limits),
        connection_ended_(acceptor_.get_executor(), Timer::time_point::max()) {}

  /// Accepts until stop(). Connections run in the task group.
  static Task<> run(std::shared_ptr<TcpListener> self);
  /// Closes the connections, too.
  void stop();

 private:
  using Connections = std::list<std::shared_ptr<TcpConnection>>;
  static Task<> run_connection(std::shared_ptr<TcpListener> self, Connections::iterator connection);

  TcpAcceptor acceptor_;
  NetworkId network_;
  QueryService& service_;
  TaskGroup& tasks_;
  Limits limits_;
  Connections connections_;
  Timer connection_ended_;  // never expires; cancelling it wakes the accept loop
};

}  // namespace flylocal::dns
