// The DNS server alone, for dns_queries.py: bench_dns_server ADDRESS PORT NAMES serves AAAA records of NAMES names on UDP and
// TCP, on one thread, over sockets as a sandbox makes them. It prints a line "NAME ADDRESS" for each and then "ready". Of its
// standard input it takes "storm RATE" (from now on RATE changes of a machine's state a second, each published), and "calm",
// after which it prints how many changes there were and how long the slowest took; it ends with its input.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dns/forwarder.hpp"
#include "dns/server.hpp"
#include "netns/sockets.hpp"
#include "tests/bench/need.hpp"

using namespace flylocal;
using flylocal::bench::need;
using Clock = std::chrono::steady_clock;

namespace {

constexpr dns::NetworkId kNetwork{0x18};

/// Apps of one machine each, whose names are `<app>.internal` and, where there are more names than apps, `<machine>.vm.<app>.internal`.
dns::World world_of(std::size_t names) {
  dns::World world;
  dns::Network& network = world.networks.emplace_back();
  network.id = kNetwork;
  for (std::size_t i = 0; i < (names + 1) / 2; ++i) {
    dns::App& app = network.apps.emplace_back();
    app.name = fmt::format("app{}", i);
    dns::Machine& machine = app.machines.emplace_back();
    machine.id = fmt::format("{:014x}", 0x3d8d413b000000 + i);
    machine.region = "ams";
    machine.process_group = "app";
    machine.six_pn = asio::ip::make_address_v6(fmt::format("fdaa:0:18:a7b:7d:{:x}:{:x}:2", 1 + i / 0x10000, i % 0x10000));
    machine.state = dns::MachineState::started;
    machine.metadata = {{"fly_process_group", "app"}, {"fly_platform_version", "v2"}};
  }
  return world;
}

void print_records(const dns::World& world, std::size_t names) {
  for (const dns::App& app : world.networks.front().apps) {
    const dns::Machine& machine = app.machines.front();
    const std::string address = machine.six_pn.to_string();
    std::printf("%s.internal %s\n", app.name.c_str(), address.c_str());
    if (--names == 0) break;
    std::printf("%s.vm.%s.internal %s\n", machine.id.c_str(), app.name.c_str(), address.c_str());
    if (--names == 0) break;
  }
  std::puts("ready");
  std::fflush(stdout);
}

/// Machines that stop and start again, one after the other, at a steady rate on a thread of its own.
class Storm {
 public:
  Storm(dns::Server& server, const dns::World& world, std::shared_ptr<const dns::ZoneSnapshot> first, int rate)
      : thread_([this, &server, world = world, current = std::move(first), rate](std::stop_token stop) mutable {
          const auto pause = std::chrono::nanoseconds(std::chrono::seconds(1)) / rate;
          auto next = Clock::now();
          const std::size_t apps = world.networks.front().apps.size();
          while (!stop.stop_requested()) {
            const auto begun = Clock::now();
            auto& state = world.networks.front().apps[changes_ / 2 % apps].machines.front().state;
            state = state == dns::MachineState::started ? dns::MachineState::not_started : dns::MachineState::started;
            current = std::make_shared<const dns::ZoneSnapshot>(world, current.get());
            server.publish(current);
            ++changes_;
            slowest_ = std::max(slowest_, Clock::now() - begun);
            // What comes late is not made up for in a burst.
            next = std::max(next + pause, Clock::now());
            std::this_thread::sleep_until(next);
          }
        }) {}

  void end_and_print() {
    thread_.request_stop();
    thread_.join();
    std::printf("changes %zu slowest_us %.0f\n", changes_, std::chrono::duration<double, std::micro>(slowest_).count());
    std::fflush(stdout);
  }

 private:
  std::size_t changes_ = 0;
  Clock::duration slowest_{};
  std::jthread thread_;  // the last: it uses the others
};

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) return {};
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<int> port = argc == 4 ? number(argv[2]) : std::nullopt, names = argc == 4 ? number(argv[3]) : std::nullopt;
  if (!port || *port > 65535 || !names) {
    std::fputs("usage: bench_dns_server ADDRESS PORT NAMES\n", stderr);
    return 2;
  }
  spdlog::set_level(spdlog::level::err);
  const auto address = asio::ip::make_address_v6(argv[1]);
  const auto external = static_cast<std::uint16_t>(*port);

  asio::io_context io(1);
  dns::Forwarder forwarder(io.get_executor(), {});
  dns::Server server(io.get_executor(), forwarder);
  const dns::World world = world_of(static_cast<std::size_t>(*names));
  auto first = std::make_shared<const dns::ZoneSnapshot>(world);
  server.publish(first);
  need(server.add_network(kNetwork, need(netns::bind_udp({address, external})), need(netns::listen_tcp({address, external}))));
  std::thread serving([&io] { io.run(); });
  print_records(world, static_cast<std::size_t>(*names));

  std::optional<Storm> storm;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string_view order = line;
    constexpr std::string_view kStorm = "storm ";
    if (order.starts_with(kStorm) && !storm) {
      if (const auto rate = number(order.substr(kStorm.size()))) storm.emplace(server, world, first, *rate);
    } else if (order == "calm" && storm) {
      storm->end_and_print();
      storm.reset();
    }
  }
  asio::co_spawn(io, [&]() -> Task<> {
    co_await server.shutdown();
    co_await forwarder.shutdown();
  }, asio::detached);
  serving.join();
}
