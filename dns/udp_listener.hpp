#pragma once

#include <memory>
#include <span>

#include "dns/query_service.hpp"
#include "dns/udp_batch.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

/// Serves one UDP socket. Queries that are answered from the zone cost no coroutine and no allocation: the listener
/// wakes once, then takes what has come and sends the answers, many with one system call, until the socket is empty.
class UdpListener : public std::enable_shared_from_this<UdpListener> {
 public:
  /// `service` has to live until run() has ended.
  UdpListener(UdpSocket socket, NetworkId network, QueryService& service);

  /// Serves until stop().
  static Task<> run(std::shared_ptr<UdpListener> self);
  void stop();

 private:
  enum class Receipt {
    served,  ///< more may be waiting
    empty,
    failed,  ///< errno says why
  };
  Receipt serve_batch();
  void serve(std::size_t index);
  void send(std::span<const std::uint8_t> response, const UdpPeer& peer);

  UdpSocket socket_;
  NetworkId network_;
  QueryService& service_;
  std::unique_ptr<UdpBatch> batch_;
};

}  // namespace flylocal::dns
