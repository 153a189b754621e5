#pragma once

#include "proxy/dial.hpp"
#include "proxy/relay.hpp"

namespace flylocal::proxy {

/// One client's connection to a service without the http handler: bytes go to a machine and back as they are, after
/// the PROXY header where the port asks for one.
class TcpSession final : public Session {
 public:
  TcpSession(Worker& worker, Arrival arrival, std::unique_ptr<Channel> client);

  /// Ends when both directions have, or with a reset for the client when no machine takes the connection.
  Flow<> run();

  bool client_left() override { return client().broken(); }

 private:
  /// For the request log.
  void record(const Dialled& machine, bool aborted);

  Worker& worker_;
  const Clock::time_point arrived_ = worker_.poller->now();
  const std::chrono::system_clock::time_point at_ = std::chrono::system_clock::now();
  std::chrono::nanoseconds connect_{0};
  Pump to_machine_;
  Pump to_client_;
  Relay relay_;
};

}  // namespace flylocal::proxy
