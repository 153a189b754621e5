// The proxy alone, for proxy_speed.py: bench_proxy_server ADDRESS FIRST_PORT SOURCE MACHINE PORT DIRECTORY NAME [THREADS] takes
// clients on ADDRESS for one machine, reached from SOURCE at MACHINE:PORT, on one thread or THREADS, over sockets as a sandbox makes them. What it serves
// it prints as lines "ROLE PORT", then "ready": FIRST_PORT is http, the next one plain TCP, the next one http over TLS for NAME, with
// an authority kept in DIRECTORY. It ends with its standard input.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "netns/sockets.hpp"
#include "proxy/proxy.hpp"
#include "tests/bench/need.hpp"
#if __has_include("proxy/tls/certificate_authority.hpp")
#include "proxy/tls/certificate_authority.hpp"
#define FLYLOCAL_BENCH_TLS 1
#endif
#if __has_include("proxy/h2/server_connection.hpp")
#define FLYLOCAL_BENCH_H2 1
#endif

using namespace flylocal;
using flylocal::bench::need;

namespace {

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return {};
  return port;
}

/// An app with one machine that pools connections, as the peers do.
proxy::Service service_of(const asio::ip::address_v4& source, const asio::ip::tcp::endpoint& machine) {
  proxy::Service service;
  service.app = "bench";
  service.internal_port = machine.port();
  service.concurrency.type = proxy::ConcurrencyType::requests;
  service.concurrency.soft_limit = std::numeric_limits<std::uint32_t>::max();
  proxy::Upstream& upstream = service.upstreams.emplace_back();
  upstream.machine_id = "3d8d413b000000";
  upstream.region = "ams";
  upstream.source = source;
  upstream.endpoint = machine;
  return service;
}

struct Worker {
  ~Worker() {
    work.reset();
    thread.join();
  }
  asio::io_context io{1};
  asio::executor_work_guard<Executor> work{io.get_executor()};
  std::thread thread{[this] { io.run(); }};
};

}  // namespace

int main(int argc, char** argv) {
  const bool given = argc == 8 || argc == 9;
  const auto first_port = given ? port_of(argv[2]) : std::nullopt, machine_port = given ? port_of(argv[5]) : std::nullopt;
  const auto thread_count = argc == 9 ? port_of(argv[8]) : std::uint16_t{1};
  if (!first_port || !machine_port || !thread_count) {
    std::fputs("usage: bench_proxy_server ADDRESS FIRST_PORT SOURCE MACHINE PORT DIRECTORY NAME [THREADS]\n", stderr);
    return 2;
  }
  spdlog::set_level(spdlog::level::err);
  const auto address = asio::ip::make_address_v4(argv[1]);
  const std::string name = argv[7];

  proxy::Options options;
  options.edge_region = "ams";
  options.max_clients = 100'000;
#ifdef FLYLOCAL_BENCH_TLS
  options.tls = need(proxy::tls::CertificateAuthority::open(argv[6]));
#endif
  proxy::RoutingSnapshot snapshot;
  snapshot.services.push_back(service_of(asio::ip::make_address_v4(argv[3]), {asio::ip::make_address_v4(argv[4]), *machine_port}));

  std::list<Worker> workers(*thread_count);
  std::vector<Executor> executors;
  for (Worker& worker : workers) executors.push_back(worker.io.get_executor());
  proxy::Proxy proxy(executors, options);
  const auto serve = [&](const char* role, proxy::Handlers handlers) {
    proxy::PublishedPort port;
    port.id = proxy::ListenerId{static_cast<std::uint32_t>(snapshot.ports.size())};
    port.external_port = static_cast<std::uint16_t>(*first_port + snapshot.ports.size());
    port.handlers = handlers;
    port.backends.emplace_back();
    port.routes.emplace(name, 0);
    port.default_backend = 0;
    proxy.listen(port.id, need(netns::listen_tcp({address, port.external_port})));
    std::printf("%s %d\n", role, port.external_port);
    snapshot.ports.push_back(std::move(port));
  };
  serve("http", {.http = true});
  serve("tcp", {});
#ifdef FLYLOCAL_BENCH_TLS
  serve("https", {.http = true, .tls = true});
#endif
#ifdef FLYLOCAL_BENCH_H2
  std::printf("h2c %d\n", *first_port);
#ifdef FLYLOCAL_BENCH_TLS
  std::printf("h2 %d\n", *first_port + 2);
#endif
#endif
  proxy.publish(std::make_shared<const proxy::RoutingSnapshot>(std::move(snapshot)));
  std::puts("ready");
  std::fflush(stdout);

  for (std::string line; std::getline(std::cin, line);) {
  }
  asio::co_spawn(executors.front(), proxy.shutdown(std::chrono::milliseconds(0)), asio::use_future).get();
}
