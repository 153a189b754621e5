// What a look at the sockets of a machine costs: flylocal's against ss, in turn, in a namespace of this program's own with
// no socket, and with many.
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "netns/network_namespace.hpp"
#include "netns/privilege.hpp"
#include "netns/socket_inventory.hpp"
#include "tests/bench/need.hpp"

using namespace flylocal;
using namespace flylocal::netns;
using flylocal::bench::need;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kRounds = 100;
constexpr int kSsRounds = 20;
constexpr int kSockets = 5000;

template <class Work>
double median_ms(int rounds, Work work) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    work();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

UniqueFd listening(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd.get(), 5) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  return fd;
}

void compare(SocketInventory& inventory, const char* what) {
  std::size_t seen = 0;
  const double all = median_ms(kRounds, [&] { seen = need(inventory.read()).size(); });
  const double tcp = median_ms(kRounds, [&] { (void)need(inventory.read(SocketInventory::Kinds::kTcp)); });
  const double by_ss = median_ms(kSsRounds, [] {
    if (std::system("ss -H -tuln >/dev/null") != 0) std::exit(77);
  });
  std::printf("%-14s %5zu seen   all %6.3f ms   TCP alone %6.3f ms   ss -tuln %6.2f ms   ratio flylocal / ss: %.2f\n", what, seen, all, tcp, by_ss, all / by_ss);
}

}  // namespace

int main() {
  need(acquire_privilege());
  const NetworkNamespace machine = need(NetworkNamespace::enter_new());
  SocketInventory inventory = need(SocketInventory::open(machine));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  compare(inventory, "no socket");
  std::vector<UniqueFd> sockets;
  constexpr int kFirstPort = 10000;
  for (int i = 0; i < kSockets; ++i) sockets.push_back(listening(static_cast<std::uint16_t>(kFirstPort + i)));
  compare(inventory, "many sockets");
}
