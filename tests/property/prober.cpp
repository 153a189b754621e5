// Says who gets through to a machine, by trying: prober PID-OF-FLYLOCAL
//
// It goes where Fly Proxy's side of the network is, and shares nothing else with flylocal. Lines on its standard input:
//   tcp KEY ADDRESS PORT LIMIT_MS GREETING_MS
//   udp KEY ADDRESS PORT LIMIT_MS
//   go
// With "go" all that was asked is tried at once, and each is answered by a line; a line "." ends them.
//   KEY open [WORDS]   the connection was taken; what was said first, if that came within GREETING_MS
//   KEY refused | timeout | failed ERRNO
//   KEY from ADDRESS | none
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

[[noreturn]] void give_up(const std::string& what) {
  std::cerr << "prober: " << what << ": " << std::strerror(errno) << std::endl;
  std::exit(1);
}

int open_namespace(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) give_up(path);
  return fd;
}

/// The thread of `pid` that is always in the backbone's network namespace: the one that is called backbone visits the machines.
std::string proxy_thread(const std::string& pid) {
  const std::string tasks = "/proc/" + pid + "/task";
  DIR* directory = ::opendir(tasks.c_str());
  if (!directory) give_up(tasks);
  std::string found;
  while (const dirent* entry = ::readdir(directory)) {
    std::string name;
    std::getline(std::ifstream(tasks + "/" + entry->d_name + "/comm"), name);
    if (name == "proxy") found = tasks + "/" + entry->d_name;
  }
  ::closedir(directory);
  if (found.empty()) {
    errno = ENOENT;
    give_up("a thread named proxy");
  }
  return found;
}

void enter(const std::string& pid) {
  const int network = open_namespace(proxy_thread(pid) + "/ns/net");
  const int user = open_namespace("/proc/" + pid + "/ns/user");
  struct stat theirs, own;
  if (::fstat(user, &theirs) != 0 || ::stat("/proc/self/ns/user", &own) != 0) give_up("stat");
  if (theirs.st_ino != own.st_ino && ::setns(user, CLONE_NEWUSER) != 0) give_up("enter the user namespace");
  if (::setns(network, CLONE_NEWNET) != 0) give_up("enter the network namespace");
}

struct Probe {
  bool is_tcp = true;
  std::string key;
  sockaddr_storage target{};
  socklen_t length = 0;
  milliseconds limit{0}, greeting{0};
  int fd = -1;
  bool connected = false;
  Clock::time_point deadline, again = Clock::time_point::max();
  std::string result;
};

Probe read_probe(const std::string& protocol, std::istringstream& words) {
  Probe probe;
  std::string address;
  std::uint16_t port = 0;
  long limit = 0, greeting = 0;
  words >> probe.key >> address >> port >> limit >> greeting;
  probe.is_tcp = protocol == "tcp";
  probe.limit = milliseconds(limit);
  probe.greeting = milliseconds(greeting);
  auto& v4 = reinterpret_cast<sockaddr_in&>(probe.target);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(probe.target);
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    probe.length = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    probe.length = sizeof v6;
  } else {
    errno = EINVAL;
    give_up("\"" + address + "\"");
  }
  return probe;
}

void finish_connect(Probe& probe, int error) {
  if (error == ECONNREFUSED) probe.result = "refused";
  else if (error != 0) probe.result = std::string("failed ") + strerrorname_np(error);
  else if (probe.greeting.count() == 0) probe.result = "open";
  else {
    probe.connected = true;
    probe.deadline = Clock::now() + probe.greeting;
  }
}

void send_datagram(Probe& probe) {
  constexpr char kWords[] = "who answers";
  // The refusal of an earlier datagram may come out here, and stays to be read in the queue of errors.
  (void)::sendto(probe.fd, kWords, sizeof kWords, 0, reinterpret_cast<sockaddr*>(&probe.target), probe.length);
}

void start(Probe& probe) {
  probe.fd = ::socket(probe.target.ss_family, (probe.is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe.fd < 0) give_up("socket");
  probe.deadline = Clock::now() + probe.limit;
  if (probe.is_tcp) {
    const int error = ::connect(probe.fd, reinterpret_cast<sockaddr*>(&probe.target), probe.length) == 0 ? 0 : errno;
    if (error != EINPROGRESS) finish_connect(probe, error);
    return;
  }
  const int on = 1;
  if (::setsockopt(probe.fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) != 0) give_up("IP_RECVERR");
  probe.again = Clock::now() + probe.limit / 2;
  send_datagram(probe);
}

void read_datagram(Probe& probe) {
  std::array<char, 2048> octets;
  sockaddr_in from{};
  socklen_t length = sizeof from;
  if (::recvfrom(probe.fd, octets.data(), octets.size(), 0, reinterpret_cast<sockaddr*>(&from), &length) >= 0) {
    char text[INET_ADDRSTRLEN];
    probe.result = std::string("from ") + ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
    return;
  }
  // ICMP says that nobody takes it: there will be no answer.
  msghdr message{};
  alignas(cmsghdr) std::array<char, 512> control;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(probe.fd, &message, MSG_ERRQUEUE) >= 0) probe.result = "none";
}

void read_greeting(Probe& probe) {
  std::array<char, 256> octets;
  const ssize_t size = ::recv(probe.fd, octets.data(), octets.size(), 0);
  probe.result = "open";
  if (size <= 0) return;
  std::string words(octets.data(), static_cast<std::size_t>(size));
  words.erase(std::remove(words.begin(), words.end(), '\n'), words.end());
  probe.result += " " + words;
}

void go_on(Probe& probe) {
  if (!probe.is_tcp) return read_datagram(probe);
  if (probe.connected) return read_greeting(probe);
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(probe.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) give_up("SO_ERROR");
  finish_connect(probe, error);
}

void run(std::vector<Probe>& probes) {
  for (Probe& probe : probes) start(probe);
  for (;;) {
    std::vector<pollfd> waits;
    std::vector<Probe*> open;
    auto next = Clock::time_point::max();
    for (Probe& probe : probes) {
      if (!probe.result.empty()) continue;
      waits.push_back({probe.fd, static_cast<short>(probe.is_tcp && !probe.connected ? POLLOUT : POLLIN), 0});
      open.push_back(&probe);
      next = std::min({next, probe.deadline, probe.again});
    }
    if (open.empty()) break;
    const auto wait = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    if (::poll(waits.data(), waits.size(), static_cast<int>(std::max<long>(wait, 0))) < 0 && errno != EINTR) give_up("poll");
    const auto now = Clock::now();
    for (std::size_t i = 0; i < open.size(); ++i) {
      Probe& probe = *open[i];
      if (waits[i].revents != 0) go_on(probe);
      else if (now >= probe.deadline) probe.result = !probe.is_tcp ? "none" : probe.connected ? "open" : "timeout";
      else if (now >= probe.again) {
        probe.again = Clock::time_point::max();
        send_datagram(probe);
      }
    }
  }
  for (const Probe& probe : probes) {
    // An end without TIME_WAIT: thousands of these come.
    const linger at_once{1, 0};
    if (probe.is_tcp) ::setsockopt(probe.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(probe.fd);
    std::cout << probe.key << ' ' << probe.result << '\n';
  }
  std::cout << "." << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  enter(argv[1]);
  std::vector<Probe> probes;
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "go") {
      run(probes);
      probes.clear();
    } else {
      probes.push_back(read_probe(verb, words));
    }
  }
}
