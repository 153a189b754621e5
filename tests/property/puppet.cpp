// The program of a machine that has the sockets that it is told to have: puppet DIRECTORY
//
// It is told over a Unix socket, DIRECTORY/MACHINE-ID.sock, and answers each line with a line:
//   open ID tcp|udp FAMILY ADDRESS PORT V6ONLY REUSEADDR REUSEPORT BACKLOG MODE DELAY_MS
//        FAMILY 4 or 6; V6ONLY 0, 1, or - for the system's default; BACKLOG -1: bound and not listening;
//        MODE serve, silent (neither accepts nor answers), or pktinfo (UDP: answers from the address that was asked)
//        -> "ok", "failed CALL ERRNO", or "later" where there is a delay
//   close ID               -> "ok"; a child that holds the socket ends
//   fork ID NAME share|move  -> "ok": a child of that name holds the socket too, or alone
//   exec NAME keep|drop    -> "ok": the process is DIRECTORY/NAME now, with or without its sockets
//   fill ID ADDRESS...     -> "full" or "room": connects to these addresses until the socket's queue is full
//   list                   -> "WAITING MS_SINCE_LAST_CHANGE|SOCKET|SOCKET...", each SOCKET
//                             "ID PROTOCOL ADDRESS PORT V6ONLY LISTENING MODE BACKLOG PID:NAME,..."
//   reset                  -> "ok": no socket and no child is left
// Who connects is told "puppet ID" and is closed. A datagram is sent back.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFillLimit{100};

struct Socket {
  std::string id, protocol, address, mode;
  int family = 4;
  std::uint16_t port = 0;
  bool v6_only = false, listening = false;
  int backlog = 0;
  int fd = -1;       ///< -1: only the child holds it
  pid_t child = 0;   ///< 0: none
  std::string child_name;

  bool operator==(const std::string& other) const { return id == other; }
};

struct Opening {
  Clock::time_point due;
  std::string line;
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::string own_name() {
  char name[16] = {};
  ::prctl(PR_GET_NAME, name);
  return name;
}

socklen_t make_address(int family, const std::string& text, std::uint16_t port, sockaddr_storage& storage) {
  storage = {};
  if (family == 4) {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    return ::inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1 ? sizeof address : 0;
  }
  auto& address = reinterpret_cast<sockaddr_in6&>(storage);
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  return ::inet_pton(AF_INET6, text.c_str(), &address.sin6_addr) == 1 ? sizeof address : 0;
}

bool set_option(int fd, int level, int name, int value) { return ::setsockopt(fd, level, name, &value, sizeof value) == 0; }

/// Accepts one connection or answers one datagram, if there is one.
void serve(const Socket& socket) {
  if (socket.protocol == "tcp") {
    const int client = ::accept4(socket.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const std::string greeting = "puppet " + socket.id + "\n";
    (void)::send(client, greeting.data(), greeting.size(), MSG_NOSIGNAL);
    ::close(client);
    return;
  }
  std::array<char, 2048> octets;
  alignas(cmsghdr) std::array<char, 256> control;
  sockaddr_storage from{};
  iovec part{octets.data(), octets.size()};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket.fd, &message, MSG_DONTWAIT);
  if (size < 0) return;
  part.iov_len = static_cast<std::size_t>(size);
  // The address that was asked is in what was received, and as an instruction it makes it the source.
  (void)::sendmsg(socket.fd, &message, 0);
}

class Puppet {
 public:
  /// `heard`: what the controller has said already.
  Puppet(std::string directory, int listener, int controller, std::string heard)
      : directory_(std::move(directory)), listener_(listener), controller_(controller), heard_(std::move(heard)) {}

  void adopt(const std::string& record) {
    std::istringstream words(record);
    Socket socket;
    words >> socket.id >> socket.protocol >> socket.address >> socket.mode >> socket.family >> socket.port >> socket.v6_only >> socket.listening >>
        socket.backlog >> socket.fd >> socket.child >> socket.child_name;
    if (socket.fd >= 0) ::fcntl(socket.fd, F_SETFD, FD_CLOEXEC);
    sockets_.push_back(std::move(socket));
  }

  void say(const std::string& line) {
    const std::string text = line + "\n";
    if (::send(controller_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) give_up("answer");
  }

  [[noreturn]] void run() {
    obey_all();
    for (;;) {
      std::vector<pollfd> waits{{listener_, POLLIN, 0}, {controller_, POLLIN, 0}};
      std::vector<Socket> served;
      for (const Socket& socket : sockets_)
        if (socket.fd >= 0 && socket.mode != "silent" && (socket.protocol == "udp" || socket.listening)) {
          waits.push_back({socket.fd, POLLIN, 0});
          served.push_back(socket);
        }
      int timeout = -1;
      if (!openings_.empty()) timeout = std::max(0, static_cast<int>(std::chrono::ceil<milliseconds>(openings_.front().due - Clock::now()).count()));
      if (::poll(waits.data(), waits.size(), timeout) < 0 && errno != EINTR) give_up("poll");
      for (std::size_t i = 0; i < served.size(); ++i)
        if (waits[i + 2].revents != 0) serve(served[i]);
      if (waits[0].revents != 0) meet_controller();
      if (waits[1].revents != 0) hear_controller();
      open_what_is_due();
    }
  }

 private:
  void meet_controller() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    if (controller_ >= 0) ::close(controller_);
    controller_ = fd;
    heard_.clear();
  }

  void hear_controller() {
    std::array<char, 8192> octets;
    const ssize_t size = ::recv(controller_, octets.data(), octets.size(), 0);
    if (size <= 0) {
      ::close(controller_);
      controller_ = -1;
      return;
    }
    heard_.append(octets.data(), static_cast<std::size_t>(size));
    obey_all();
  }

  void obey_all() {
    for (std::size_t end = heard_.find('\n'); end != std::string::npos; end = heard_.find('\n')) {
      const std::string line = heard_.substr(0, end);
      heard_.erase(0, end + 1);
      say(obey(line));
    }
  }

  std::string obey(const std::string& line) {
    std::istringstream words(line);
    std::string verb, id;
    words >> verb;
    if (verb == "list") return list();
    if (verb == "reset") return reset();
    if (verb == "open") return open_or_wait(line);
    if (verb == "exec") return execute(words);
    words >> id;
    const auto socket = std::find(sockets_.begin(), sockets_.end(), id);
    if (socket == sockets_.end()) return "failed find ENOENT";
    changed_ = Clock::now();
    if (verb == "close") {
      release(*socket);
      sockets_.erase(socket);
      return "ok";
    }
    if (verb == "fork") return fork_holder(*socket, words);
    if (verb == "fill") return fill(*socket, words);
    return "failed understand EINVAL";
  }

  std::string open_or_wait(const std::string& line) {
    const long delay = std::strtol(line.c_str() + line.rfind(' '), nullptr, 10);
    if (delay <= 0) return open(line);
    openings_.push_back({Clock::now() + milliseconds(delay), line});
    std::sort(openings_.begin(), openings_.end(), [](const Opening& a, const Opening& b) { return a.due < b.due; });
    return "later";
  }

  void open_what_is_due() {
    while (!openings_.empty() && openings_.front().due <= Clock::now()) {
      (void)open(openings_.front().line);
      openings_.erase(openings_.begin());
    }
  }

  std::string open(const std::string& line) {
    std::istringstream words(line);
    std::string verb, v6_only;
    bool reuse_address = false, reuse_port = false;
    Socket socket;
    words >> verb >> socket.id >> socket.protocol >> socket.family >> socket.address >> socket.port >> v6_only >> reuse_address >> reuse_port >>
        socket.backlog >> socket.mode;
    const bool is_tcp = socket.protocol == "tcp";
    socket.fd = ::socket(socket.family == 4 ? AF_INET : AF_INET6, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket.fd < 0) return "failed socket " + std::string(strerrorname_np(errno));
    auto failed = [&](const char* call) {
      const std::string reason = strerrorname_np(errno);
      ::close(socket.fd);
      return std::string("failed ") + call + " " + reason;
    };
    const bool options_set = (!reuse_address || set_option(socket.fd, SOL_SOCKET, SO_REUSEADDR, 1)) && (!reuse_port || set_option(socket.fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
                             (socket.family == 4 || v6_only == "-" || set_option(socket.fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only == "1")) &&
                             (socket.mode != "pktinfo" || (socket.family == 4 ? set_option(socket.fd, IPPROTO_IP, IP_PKTINFO, 1) : set_option(socket.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)));
    if (!options_set) return failed("setsockopt");
    sockaddr_storage address;
    const socklen_t length = make_address(socket.family, socket.address, socket.port, address);
    if (::bind(socket.fd, reinterpret_cast<sockaddr*>(&address), length) != 0) return failed("bind");
    if (is_tcp && socket.backlog >= 0) {
      if (::listen(socket.fd, socket.backlog) != 0) return failed("listen");
      socket.listening = true;
    }
    if (socket.family == 6) {
      int value = 0;
      socklen_t size = sizeof value;
      ::getsockopt(socket.fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size);
      socket.v6_only = value != 0;
    }
    sockets_.push_back(std::move(socket));
    changed_ = Clock::now();
    return "ok";
  }

  static void release(Socket& socket) {
    if (socket.fd >= 0) ::close(socket.fd);
    if (socket.child == 0) return;
    ::kill(socket.child, SIGKILL);
    ::waitpid(socket.child, nullptr, 0);
  }

  std::string reset() {
    for (Socket& socket : sockets_) release(socket);
    sockets_.clear();
    openings_.clear();
    changed_ = Clock::now();
    return "ok";
  }

  std::string fork_holder(Socket& socket, std::istringstream& words) {
    std::string name, how;
    words >> name >> how;
    if (socket.child != 0 || socket.fd < 0) return "failed fork EBUSY";
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) give_up("pipe2");
    const pid_t child = ::fork();
    if (child < 0) give_up("fork");
    if (child == 0) be_holder(socket, name, ready[1]);
    ::close(ready[1]);
    char octet;
    const bool is_ready = ::read(ready[0], &octet, 1) == 1;
    ::close(ready[0]);
    if (!is_ready) give_up("wait for a child");
    socket.child = child;
    socket.child_name = name;
    if (how == "move") {
      ::close(socket.fd);
      socket.fd = -1;
    }
    return "ok";
  }

  [[noreturn]] void be_holder(const Socket& socket, const std::string& name, int ready) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name.c_str());
    for (const Socket& other : sockets_)
      if (other.fd >= 0 && other.fd != socket.fd) ::close(other.fd);
    ::close(listener_);
    ::close(controller_);
    if (::write(ready, "r", 1) != 1) ::_exit(1);
    ::close(ready);
    if (socket.mode == "silent" || (socket.protocol == "tcp" && !socket.listening))
      for (;;) ::pause();
    for (;;) {
      pollfd wait{socket.fd, POLLIN, 0};
      if (::poll(&wait, 1, -1) > 0) serve(socket);
    }
  }

  /// Comes back as a new program, which answers.
  std::string execute(std::istringstream& words) {
    std::string name, how;
    words >> name >> how;
    if (!openings_.empty()) return "failed exec EBUSY";
    std::vector<std::string> arguments{directory_ + "/" + name, directory_, std::to_string(listener_), std::to_string(controller_), heard_};
    ::fcntl(listener_, F_SETFD, 0);
    ::fcntl(controller_, F_SETFD, 0);
    for (Socket& socket : sockets_) {
      if (how == "drop") socket.fd = -1;
      if (socket.fd < 0 && socket.child == 0) continue;
      if (socket.fd >= 0) ::fcntl(socket.fd, F_SETFD, 0);
      std::ostringstream record;
      record << socket.id << ' ' << socket.protocol << ' ' << socket.address << ' ' << socket.mode << ' ' << socket.family << ' ' << socket.port << ' '
             << socket.v6_only << ' ' << socket.listening << ' ' << socket.backlog << ' ' << socket.fd << ' ' << socket.child << ' ' << socket.child_name;
      arguments.push_back(record.str());
    }
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    give_up("exec");
  }

  static bool is_full(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    // Of a listening socket: how many wait, and how many may.
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_unacked > info.tcpi_sacked;
  }

  static std::string fill(const Socket& socket, std::istringstream& words) {
    std::string text;
    while (words >> text && socket.fd >= 0) {
      const int family = text.find(':') == std::string::npos ? 4 : 6;
      for (int i = 0; i <= socket.backlog + 1 && !is_full(socket.fd); ++i) {
        sockaddr_storage address;
        const socklen_t length = make_address(family, text, socket.port, address);
        const int fd = ::socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) give_up("socket");
        pollfd wait{fd, POLLOUT, 0};
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 && errno == EINPROGRESS) ::poll(&wait, 1, kFillLimit.count());
        ::close(fd);
      }
    }
    return socket.fd >= 0 && is_full(socket.fd) ? "full" : "room";
  }

  std::string list() const {
    std::ostringstream text;
    text << openings_.size() << ' ' << std::chrono::duration_cast<milliseconds>(Clock::now() - changed_).count();
    for (const Socket& socket : sockets_) {
      text << '|' << socket.id << ' ' << socket.protocol << ' ' << socket.address << ' ' << socket.port << ' ' << socket.v6_only << ' '
           << socket.listening << ' ' << socket.mode << ' ' << socket.backlog << ' ';
      if (socket.fd >= 0) text << ::getpid() << ':' << own_name() << (socket.child != 0 ? "," : "");
      if (socket.child != 0) text << socket.child << ':' << socket.child_name;
    }
    return text.str();
  }

  const std::string directory_;
  const int listener_;
  int controller_;
  std::string heard_;
  std::vector<Socket> sockets_;
  std::vector<Opening> openings_;  // the next one first
  Clock::time_point changed_ = Clock::now();
};

int listen_for_controller(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) give_up("the path of the socket is too long");
  path.copy(address.sun_path, path.size());
  ::unlink(path.c_str());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 8) != 0) give_up("listen for the controller");
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string directory = argv[1];
  if (argc == 2) {
    // The limit on ICMP would let the refusal of a datagram pass for silence. It is this machine's own.
    std::ofstream("/proc/sys/net/ipv4/icmp_ratelimit") << "0";
    const char* machine = std::getenv("FLY_MACHINE_ID");
    Puppet(directory, listen_for_controller(directory + "/" + (machine ? machine : "puppet") + ".sock"), -1, "").run();
  }
  const int listener = std::atoi(argv[2]), controller = std::atoi(argv[3]);
  ::fcntl(listener, F_SETFD, FD_CLOEXEC);
  ::fcntl(controller, F_SETFD, FD_CLOEXEC);
  Puppet puppet(directory, listener, controller, argv[4]);
  for (int i = 5; i < argc; ++i) puppet.adopt(argv[i]);
  puppet.say("ok");
  puppet.run();
}
