#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dns/query_service.hpp"
#include "flylocal/base/async.hpp"

namespace flylocal::dns {

/// Serves one UDP socket. Queries that are answered from the zone cost no coroutine and no allocation: the
/// listener wakes once, then reads and answers until the socket is empty.
class UdpListener : public std::enable_shared_from_this<UdpListener> {
 public:
  /// `service` has to live until run() has ended.
  UdpListener(UdpSocket socket, NetworkId network, QueryService& service)
      : socket_(std::move(socket)), network_(network), service_(service) {}

  /// Serves until stop().
  static Task<> run(std::shared_ptr<UdpListener> self);
  void stop();

 private:
  struct Peer {
    sockaddr_storage address{};
    socklen_t size = 0;
  };
  enum class Receipt { served, empty, failed };
  Receipt serve_one();
  void send(std::span<const std::uint8_t> response, const Peer& peer);

  UdpSocket socket_;
  NetworkId network_;
  QueryService& service_;
  // A query that is larger than this has nothing we would understand.
  std::array<std::uint8_t, 4096> query_;
  std::vector<std::uint8_t> response_;
};

}  // namespace flylocal::dns
