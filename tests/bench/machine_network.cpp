// What a machine's namespaces and network cost: ours over netlink against the same by `ip` commands, in turn, in
// namespaces of this program's own.
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "netns/backbone.hpp"
#include "netns/guest.hpp"
#include "netns/privilege.hpp"
#include "tests/bench/need.hpp"

using namespace flylocal;
using namespace flylocal::netns;
using flylocal::bench::need;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kRounds = 30;

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

void print(const char* what, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::printf("%-34s median %6.2f ms   min %6.2f   max %6.2f\n", what, values[values.size() / 2], values.front(), values.back());
}

/// The same guest network by commands, given the pid of a process in a fresh namespace.
std::string ip_commands(int number, pid_t pid) {
  const std::string veth = "c" + std::to_string(number), inside = "nsenter -t " + std::to_string(pid) + " -n ip ";
  return "ip link add " + veth + " mtu 1420 master br0 type veth peer name eth0 mtu 1420 netns " + std::to_string(pid) +
         " && ip link set " + veth + " up && ip addr add 172.19.100.1/29 dev br0 && " + inside + "link set lo up && " + inside +
         "link set eth0 up && " + inside + "addr add 172.19.100.2/29 dev eth0 && " + inside + "addr add 172.19.100.3/29 dev eth0 && " +
         inside + "addr add fdaa:0:18:a7b:1::2/112 dev eth0 nodad && " + inside + "route add fdaa:0:18::/48 dev eth0 && " + inside +
         "route add fdaa::3 dev eth0 && " + inside + "route add default via 172.19.100.1";
}

}  // namespace

int main() {
  need(acquire_privilege());
  Backbone backbone = need(Backbone::create());
  const SixPnNetwork network{"br0", boost::asio::ip::make_address_v6("fdaa:0:18::")};
  need(backbone.add_network(network));
  GuestSpec spec;
  spec.hostname = "bench";
  spec.program.argv = {"/bin/true"};
  spec.program.working_directory = "/";

  std::vector<double> cloned, attached, by_ip;
  for (int round = 0; round < kRounds; ++round) {
    const GuestNetwork address{"m" + std::to_string(round), boost::asio::ip::make_address_v4("172.19.0.2"),
                               boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2")};
    const auto start = Clock::now();
    Guest guest = need(Guest::create(spec));
    const auto made = Clock::now();
    need(backbone.attach(network, address, need(NetworkNamespace::of_process(guest.init_pid()))));
    attached.push_back(milliseconds(Clock::now() - made));
    cloned.push_back(milliseconds(made - start));
    need(backbone.detach(network, address));

    Guest other = need(Guest::create(spec));
    const std::string commands = ip_commands(round, other.init_pid());
    const auto began = Clock::now();
    if (std::system(commands.c_str()) != 0) {
      std::fprintf(stderr, "the ip commands failed (is iproute2 installed?)\n");
      return 77;
    }
    by_ip.push_back(milliseconds(Clock::now() - began));
    if (std::system("ip addr del 172.19.100.1/29 dev br0") != 0) return 1;
  }
  print("namespaces and init (clone3)", cloned);
  print("network of a machine, flylocal", attached);
  print("network of a machine, ip commands", by_ip);
  auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  std::printf("ratio flylocal / ip commands: %.2f (goal: network under 3 ms)\n", median(attached) / median(by_ip));
}
