#pragma once

#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/address_v6.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/message.hpp"

namespace flylocal::dns {

/// The sender of a datagram.
struct UdpPeer {
  sockaddr_storage address;
  socklen_t size;

  /// An IPv4 sender is named by its IPv4-mapped address.
  boost::asio::ip::address_v6 ip() const;
};

/// What came to a UDP socket at one time, and the answers to it. Its memory is used again from batch to batch: some 350 kB.
///
/// Answers leave with as few calls and walks through the kernel as can be: all with one sendmmsg(2), and those of one
/// length to one peer as a single message that the kernel cuts (UDP_SEGMENT, udp(7)), which costs a third. Over UDP their
/// order means nothing.
class UdpBatch {
 public:
  static constexpr std::size_t kMostDatagrams = 64;

  UdpBatch();

  /// Takes what has come, without waiting. As recvmmsg(2): how many, or -1 with errno.
  int receive(int fd);

  /// Of the datagrams that were received, by their number. One that was too large is cut to a header, which makes it FORMERR.
  std::span<const std::uint8_t> query(std::size_t index) const;
  const UdpPeer& peer(std::size_t index) const { return peers_[index]; }

  /// Where to write the answer to a query, which add_answer() then makes one to be sent.
  std::vector<std::uint8_t>& answer(std::size_t index) { return answers_[index]; }
  void add_answer(std::size_t index) { answered_[answered_count_++] = static_cast<std::uint8_t>(index); }

  /// Sends the answers that were added. One that cannot be sent now is lost, as the asker asks again.
  void send(int fd);

 private:
  static constexpr std::size_t kQuerySize = 4096;  // a larger one has nothing that we would understand
  union Control {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> space;
  };
  bool precedes(std::uint8_t left, std::uint8_t right) const;
  std::size_t group_answers();
  /// Whether at least one could be sent.
  bool send_apart(int fd, const msghdr& group);

  std::array<std::array<std::uint8_t, kQuerySize>, kMostDatagrams> queries_;
  std::array<UdpPeer, kMostDatagrams> peers_;
  std::array<iovec, kMostDatagrams> query_parts_;
  std::array<mmsghdr, kMostDatagrams> received_;
  std::array<std::vector<std::uint8_t>, kMostDatagrams> answers_;
  std::array<std::uint8_t, kMostDatagrams> answered_;
  std::size_t answered_count_ = 0;
  // One group of equal answers each:
  std::array<mmsghdr, kMostDatagrams> groups_;
  std::array<iovec, kMostDatagrams> answer_parts_;
  std::array<Control, kMostDatagrams> controls_;
  bool can_segment_ = true;
};

}  // namespace flylocal::dns
