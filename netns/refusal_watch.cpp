#include "netns/refusal_watch.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace flylocal::netns {
namespace {

// Octets from the beginning of the IPv6 header; a packet with extension headers is not what we look for.
constexpr std::uint32_t kNextHeader = 6;
constexpr std::size_t kSource = 8;
constexpr std::size_t kDestination = 24;
constexpr std::uint32_t kTcp = 40;
constexpr std::uint32_t kTcpSequence = kTcp + 4;
constexpr std::uint32_t kTcpFlags = kTcp + 13;
constexpr std::uint32_t kResetAndAck = 0x14;
constexpr std::size_t kTcpHeaderSize = 20;
constexpr std::size_t kPacketSize = kTcp + kTcpHeaderSize;

boost::asio::ip::address_v6 address_at(std::span<const unsigned char> packet, std::size_t offset) {
  boost::asio::ip::address_v6::bytes_type octets;
  std::memcpy(octets.data(), packet.data() + offset, octets.size());
  return boost::asio::ip::address_v6(octets);
}

}  // namespace

std::optional<Refusal> read_refusal(std::span<const unsigned char> packet) {
  if (packet.size() < kPacketSize) return std::nullopt;
  std::uint16_t port;
  std::memcpy(&port, packet.data() + kTcp, sizeof port);
  return Refusal{address_at(packet, kSource), ntohs(port), address_at(packet, kDestination)};
}

Result<RefusalWatch> RefusalWatch::open() {
  // Protocol 0 until the filter is there, so that nothing else gets into the queue.
  UniqueFd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error("make a packet socket", errno);
  constexpr std::uint32_t kProtocol = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kProtocol),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 7),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kNextHeader),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kTcpFlags),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kResetAndAck, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kTcpSequence),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kPacketSize),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return system_error("filter a packet socket", errno);
  // Each packet comes in once and would be seen again on its way out; without this every sent packet would be copied.
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
    return system_error("limit a packet socket to incoming packets", errno);
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  // Only with all protocols are packets seen that a bridge forwards.
  everywhere.sll_protocol = htons(ETH_P_ALL);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&everywhere), sizeof everywhere) != 0)
    return system_error("bind a packet socket", errno);
  return RefusalWatch(std::move(fd));
}

std::optional<Refusal> RefusalWatch::next() {
  std::array<unsigned char, kPacketSize> packet;
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    if (auto refusal = read_refusal(std::span(packet).first(static_cast<std::size_t>(size)))) return refusal;
  }
}

}  // namespace flylocal::netns
