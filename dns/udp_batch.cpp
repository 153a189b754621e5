#include "dns/udp_batch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace flylocal::dns {
namespace {

namespace ip = boost::asio::ip;

// include/linux/udp.h: a message is cut into so many datagrams at most, and is none longer than IP can say.
constexpr std::size_t kMostSegments = 64;
constexpr std::size_t kMostOctets = 65000;

/// Whether an error means that this kernel or this path has no segmentation.
bool is_unsupported(int error) { return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT || error == EMSGSIZE; }

}  // namespace

ip::address_v6 UdpPeer::ip() const {
  if (address.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    return ip::make_address_v6(ip::v4_mapped, ip::address_v4(ntohl(ipv4.s_addr)));
  }
  ip::address_v6::bytes_type octets;
  std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, octets.size());
  return ip::address_v6(octets);
}

UdpBatch::UdpBatch() {
  for (std::size_t i = 0; i < kMostDatagrams; ++i) {
    query_parts_[i] = {queries_[i].data(), kQuerySize};
    answers_[i].reserve(kMaxUdpSize);
    received_[i] = {};
    received_[i].msg_hdr.msg_name = &peers_[i].address;
    received_[i].msg_hdr.msg_namelen = sizeof peers_[i].address;
    received_[i].msg_hdr.msg_iov = &query_parts_[i];
    received_[i].msg_hdr.msg_iovlen = 1;
  }
}

int UdpBatch::receive(int fd) {
  answered_count_ = 0;
  const int count = ::recvmmsg(fd, received_.data(), kMostDatagrams, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i) {
    socklen_t& size = received_[static_cast<std::size_t>(i)].msg_hdr.msg_namelen;
    peers_[static_cast<std::size_t>(i)].size = std::exchange(size, sizeof(sockaddr_storage));
  }
  return count;
}

std::span<const std::uint8_t> UdpBatch::query(std::size_t index) const {
  const mmsghdr& received = received_[index];
  const std::span<const std::uint8_t> octets(queries_[index].data(), received.msg_len);
  return received.msg_hdr.msg_flags & MSG_TRUNC ? octets.first(kHeaderSize) : octets;
}

bool UdpBatch::precedes(std::uint8_t left, std::uint8_t right) const {
  if (answers_[left].size() != answers_[right].size()) return answers_[left].size() < answers_[right].size();
  if (peers_[left].size != peers_[right].size) return peers_[left].size < peers_[right].size;
  return std::memcmp(&peers_[left].address, &peers_[right].address, peers_[left].size) < 0;
}

std::size_t UdpBatch::group_answers() {
  const auto begin = answered_.begin(), end = begin + static_cast<std::ptrdiff_t>(answered_count_);
  if (can_segment_) std::sort(begin, end, [&](std::uint8_t left, std::uint8_t right) { return precedes(left, right); });
  std::size_t group_count = 0;
  for (std::size_t first = 0; first < answered_count_;) {
    const std::size_t size = answers_[answered_[first]].size();
    const std::size_t most = can_segment_ && size > 0 ? std::min(kMostSegments, kMostOctets / size) : 1;
    std::size_t next = first;
    for (; next < answered_count_ && next - first < most; ++next) {
      if (next > first && precedes(answered_[first], answered_[next])) break;
      answer_parts_[next] = {answers_[answered_[next]].data(), size};
    }
    msghdr& message = groups_[group_count].msg_hdr;
    message = {};
    message.msg_name = &peers_[answered_[first]].address;
    message.msg_namelen = peers_[answered_[first]].size;
    message.msg_iov = &answer_parts_[first];
    message.msg_iovlen = next - first;
    if (next - first > 1) {
      Control& control = controls_[group_count];
      message.msg_control = &control;
      message.msg_controllen = sizeof control.space;
      control.header.cmsg_level = SOL_UDP;
      control.header.cmsg_type = UDP_SEGMENT;
      control.header.cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
      const auto segment = static_cast<std::uint16_t>(size);
      std::memcpy(CMSG_DATA(&control.header), &segment, sizeof segment);
    }
    ++group_count;
    first = next;
  }
  return group_count;
}

bool UdpBatch::send_apart(int fd, const msghdr& group) {
  bool sent = false;
  for (std::size_t i = 0; i < group.msg_iovlen; ++i)
    sent |= ::sendto(fd, group.msg_iov[i].iov_base, group.msg_iov[i].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL,
                     static_cast<const sockaddr*>(group.msg_name), group.msg_namelen) >= 0;
  return sent;
}

void UdpBatch::send(int fd) {
  const std::size_t count = group_answers();
  // One that fails must not take those behind it along: sendmmsg(2) stops at it.
  for (std::size_t sent = 0; sent < count;) {
    const int done = ::sendmmsg(fd, groups_.data() + sent, static_cast<unsigned>(count - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done > 0) {
      sent += static_cast<std::size_t>(done);
      continue;
    }
    const msghdr& failed = groups_[sent].msg_hdr;
    // A peer to whom nothing can be sent, as one whose port is 0, says nothing of segmentation.
    if (failed.msg_iovlen > 1 && is_unsupported(errno) && send_apart(fd, failed)) can_segment_ = false;
    ++sent;
  }
}

}  // namespace flylocal::dns
