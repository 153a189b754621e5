#pragma once

#include <sys/types.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "flylocal/base/result.hpp"
#include "netns/network_namespace.hpp"

struct nl_sock;

namespace flylocal::netns {

/// A socket that waits for others: a listening TCP socket or a bound, unconnected UDP one. sock_diag(7)
struct BoundSocket {
  enum class Protocol { kTcp, kUdp } protocol;
  boost::asio::ip::address address;
  std::uint16_t port;
  /// IPV6_V6ONLY (ipv6(7)): a wildcard without it takes IPv4 connections too. False for IPv4 sockets.
  bool v6_only;
  std::uint32_t queued;   ///< TCP: connections that wait to be accepted
  std::uint32_t backlog;  ///< TCP: how many may wait
  std::uint32_t inode;    ///< the key to its owner
};

/// A process of a guest, as the guest sees it.
struct GuestProcess {
  pid_t pid;
  std::string name;  ///< /proc/PID/comm
  std::vector<std::string> command_line;
  std::string directory;                    ///< its working directory
  std::vector<std::uint32_t> socket_inodes;  ///< of the sockets it holds
};

/// Reads the sockets of one network namespace, at any time, from any thread (one at a time).
class SocketInventory {
 public:
  static Result<SocketInventory> open(const NetworkNamespace& ns);
  enum class Kinds { kTcpAndUdp, kTcp };
  /// All bound sockets, one row per distinct protocol, address and port (SO_REUSEPORT shows several), ordered. The kernel
  /// walks its whole tables for each kind, so who looks often asks for TCP alone.
  Result<std::vector<BoundSocket>> read(Kinds kinds = Kinds::kTcpAndUdp);

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit SocketInventory(nl_sock* socket) : socket_(socket) {}
  template <class Request>
  int dump(int message_type, Request request, BoundSocket::Protocol protocol, std::vector<BoundSocket>& sockets);
  int dump_family(int family, BoundSocket::Protocol protocol, std::vector<BoundSocket>& sockets);

  std::unique_ptr<nl_sock, Close> socket_;
  bool has_family_free_request_ = true;
};

/// The processes of the guest whose init has `init_pid`, by pid, without the init itself. One that ends meanwhile
/// is left out.
std::vector<GuestProcess> guest_processes(pid_t init_pid);

/// Who holds the socket; of several holders the one with the lowest pid, the parent rather than its workers. Null
/// when its owner is gone.
const GuestProcess* find_owner(const std::vector<GuestProcess>& processes, const BoundSocket& socket);

}  // namespace flylocal::netns
