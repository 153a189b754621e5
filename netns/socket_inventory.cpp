#include "netns/socket_inventory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <tuple>

namespace flylocal::netns {
namespace {

// The kernel's socket states (include/net/tcp_states.h); an unconnected UDP socket is "closed".
constexpr std::uint32_t kListenStates = 1u << 10;
constexpr std::uint32_t kUnconnectedStates = 1u << 7;

/// netlink_dump() in net/netlink/af_netlink.c makes none longer.
constexpr std::size_t kLongestPart = 32768;

boost::asio::ip::address address_of(int family, const void* raw) {
  if (family == AF_INET) {
    boost::asio::ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), raw, bytes.size());
    return boost::asio::ip::address_v4(bytes);
  }
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), raw, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

struct Dump {
  BoundSocket::Protocol protocol;
  std::vector<BoundSocket>* sockets;
};

int on_socket(nl_msg* message, void* argument) {
  auto& dump = *static_cast<Dump*>(argument);
  nlmsghdr* header = nlmsg_hdr(message);
  const bool is_socket = header->nlmsg_type == SOCK_DIAG_BY_FAMILY || header->nlmsg_type == TCPDIAG_GETSOCK;
  if (!is_socket || !nlmsg_valid_hdr(header, sizeof(inet_diag_msg))) return NL_SKIP;
  const auto* diag = static_cast<const inet_diag_msg*>(nlmsg_data(header));
  if (diag->id.idiag_sport == 0) return NL_OK;
  bool v6_only = false;
  if (diag->idiag_family == AF_INET6)
    if (nlattr* flag = nlmsg_find_attr(header, sizeof *diag, INET_DIAG_SKV6ONLY)) v6_only = nla_get_u8(flag) != 0;
  dump.sockets->push_back({dump.protocol, address_of(diag->idiag_family, diag->id.idiag_src), ntohs(diag->id.idiag_sport),
                           v6_only, diag->idiag_rqueue, diag->idiag_wqueue, diag->idiag_inode});
  return NL_OK;
}

Error read_error(int code) { return Error{fmt::format("read the sockets of a machine: {}", nl_geterror(code))}; }

std::string read_small_file(const std::string& path) {
  std::string text;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  if (ssize_t n = fd ? ::read(fd.get(), buffer, sizeof buffer) : 0; n > 0) text.assign(buffer, static_cast<std::size_t>(n));
  return text;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using DirectoryPtr = std::unique_ptr<DIR, CloseDirectory>;

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

std::vector<std::string> split_at_zeros(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\0', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::vector<std::uint32_t> socket_inodes(const std::string& process_directory) {
  std::vector<std::uint32_t> inodes;
  DirectoryPtr descriptors(::opendir((process_directory + "/fd").c_str()));
  if (!descriptors) return inodes;
  while (const dirent* entry = ::readdir(descriptors.get())) {
    char target[64];
    const ssize_t n = ::readlinkat(::dirfd(descriptors.get()), entry->d_name, target, sizeof target);
    std::string_view link(target, n > 0 ? static_cast<std::size_t>(n) : 0);
    constexpr std::string_view kPrefix = "socket:[";
    if (!link.starts_with(kPrefix) || !link.ends_with(']')) continue;
    std::uint32_t inode = 0;
    if (parse_number(link.substr(kPrefix.size(), link.size() - kPrefix.size() - 1), inode)) inodes.push_back(inode);
  }
  return inodes;
}

std::string read_link(const std::string& path) {
  char target[4096];
  const ssize_t n = ::readlink(path.c_str(), target, sizeof target);
  return std::string(target, n > 0 ? static_cast<std::size_t>(n) : 0);
}

}  // namespace

void SocketInventory::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<SocketInventory> SocketInventory::open(const NetworkNamespace& ns) {
  auto visit = NamespaceVisit::to(ns);
  if (!visit) return visit.error();
  SocketInventory inventory(nl_socket_alloc());
  if (!inventory.socket_) return Error{"allocate a netlink socket: out of memory"};
  // Room for the longest part of an answer that the kernel sends, so that none has to be looked at twice.
  nl_socket_set_msg_buf_size(inventory.socket_.get(), kLongestPart);
  nl_socket_disable_msg_peek(inventory.socket_.get());
  if (int code = nl_connect(inventory.socket_.get(), NETLINK_SOCK_DIAG); code < 0)
    return Error{fmt::format("open a socket-diagnostics netlink socket: {}", nl_geterror(code)),
                 std::make_error_code(std::errc::protocol_not_supported)};
  return inventory;
}

template <class Request>
int SocketInventory::dump(int message_type, Request request, BoundSocket::Protocol protocol, std::vector<BoundSocket>& sockets) {
  Dump target{protocol, &sockets};
  nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, on_socket, &target);
  const int code = nl_send_simple(socket_.get(), message_type, NLM_F_DUMP, &request, sizeof request);
  return code < 0 ? code : nl_recvmsgs_default(socket_.get());
}

int SocketInventory::dump_family(int family, BoundSocket::Protocol protocol, std::vector<BoundSocket>& sockets) {
  const bool is_tcp = protocol == BoundSocket::Protocol::kTcp;
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<std::uint8_t>(family);
  request.sdiag_protocol = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
  request.idiag_states = is_tcp ? kListenStates : kUnconnectedStates;
  return dump(SOCK_DIAG_BY_FAMILY, request, protocol, sockets);
}

Result<std::vector<BoundSocket>> SocketInventory::read(Kinds kinds) {
  std::vector<BoundSocket> sockets;
  // The request without a family reads both in one walk of the kernel's table, which is what a look costs; a kernel
  // may have left it out, and there is none for UDP (inet_diag_dump_compat in net/ipv4/inet_diag.c).
  inet_diag_req both_families{};
  both_families.idiag_states = kListenStates;
  if (!has_family_free_request_ || dump(TCPDIAG_GETSOCK, both_families, BoundSocket::Protocol::kTcp, sockets) < 0) {
    has_family_free_request_ = false;
    sockets.clear();
    for (const int family : {AF_INET, AF_INET6})
      if (const int code = dump_family(family, BoundSocket::Protocol::kTcp, sockets); code < 0) return read_error(code);
  }
  if (kinds == Kinds::kTcpAndUdp)
    for (const int family : {AF_INET, AF_INET6})
      if (const int code = dump_family(family, BoundSocket::Protocol::kUdp, sockets); code < 0) return read_error(code);
  auto key = [](const BoundSocket& s) { return std::tuple(s.protocol, s.port, s.address, s.v6_only); };
  std::sort(sockets.begin(), sockets.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  sockets.erase(std::unique(sockets.begin(), sockets.end(), [&](auto& a, auto& b) { return key(a) == key(b); }),
                sockets.end());
  return sockets;
}

std::vector<GuestProcess> guest_processes(pid_t init_pid) {
  const std::string proc = fmt::format("/proc/{}/root/proc", init_pid);
  DirectoryPtr directory(::opendir(proc.c_str()));
  if (!directory) return {};
  std::vector<pid_t> pids;
  while (const dirent* entry = ::readdir(directory.get()))
    if (pid_t pid; parse_number(std::string_view(entry->d_name), pid) && pid != 1) pids.push_back(pid);
  std::sort(pids.begin(), pids.end());

  std::vector<GuestProcess> processes;
  for (pid_t pid : pids) {
    const std::string path = fmt::format("{}/{}", proc, pid);
    GuestProcess process{pid, read_small_file(path + "/comm"), split_at_zeros(read_small_file(path + "/cmdline")),
                         read_link(path + "/cwd"), socket_inodes(path)};
    if (process.name.empty()) continue;
    if (process.name.ends_with('\n')) process.name.pop_back();
    processes.push_back(std::move(process));
  }
  return processes;
}

const GuestProcess* find_owner(const std::vector<GuestProcess>& processes, const BoundSocket& socket) {
  for (const GuestProcess& process : processes)
    if (std::find(process.socket_inodes.begin(), process.socket_inodes.end(), socket.inode) != process.socket_inodes.end())
      return &process;
  return nullptr;
}

}  // namespace flylocal::netns
