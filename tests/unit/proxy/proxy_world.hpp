#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "proxy/proxy.hpp"
#include "wire.hpp"

/// A proxy on threads of its own, between scripted machines and clients, all on loopback.
namespace flylocal::proxy::test {

/// Plays the app in a machine: runs `script` for each connection, on a thread of its own, and closes after
/// it.
class FakeMachine {
 public:
  using Script = std::function<void(Wire&, int connection)>;

  explicit FakeMachine(Script script, const char* ip = "127.0.0.1", std::uint16_t port = 0)
      : script_(std::move(script)), ip_(ip), listener_(open_listener(ip, port)), port_(port_of(listener_)) {
    accepting_ = std::thread([this] { accept_connections(); });
  }
  ~FakeMachine() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    accepting_.join();
    for (auto& connection : connections_) connection.join();
  }

  int accepted() const { return accepted_; }
  asio::ip::tcp::endpoint endpoint() const { return {asio::ip::make_address_v4(ip_), port_}; }

 private:
  void accept_connections() {
    for (;;) {
      UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      int number = accepted_++;
      connections_.emplace_back(
          [this, number, wire = Wire(std::move(socket))]() mutable { script_(wire, number); });
    }
  }

  Script script_;
  std::string ip_;
  UniqueFd listener_;
  std::uint16_t port_;
  std::atomic<int> accepted_{0};
  std::vector<std::thread> connections_;
  std::thread accepting_;
};

/// Text that machines' threads leave for the test.
class Notes {
 public:
  void add(std::string text) {
    std::lock_guard lock(mutex_);
    texts_.push_back(std::move(text));
  }
  std::vector<std::string> all() const {
    std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

/// A port where nobody listens.
inline asio::ip::tcp::endpoint closed_endpoint() {
  return {asio::ip::make_address_v4("127.0.0.1"), port_of(open_listener("127.0.0.1"))};
}

inline Upstream machine(std::string id, asio::ip::tcp::endpoint endpoint) {
  Upstream upstream;
  upstream.machine_id = std::move(id);
  upstream.region = "ams";
  upstream.source = asio::ip::make_address_v4("127.0.0.9");
  upstream.endpoint = endpoint;
  return upstream;
}

/// Waits for something that another thread brings about.
inline bool eventually(const std::function<bool()>& condition) {
  auto ends = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > ends) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline Options quick_options() {
  Options options;
  options.edge_region = "ams";
  options.connect_patience = std::chrono::milliseconds(300);
  return options;
}

/// An io_context with its thread.
class WorkerThread {
 public:
  WorkerThread() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~WorkerThread() {
    work_.reset();
    thread_.join();
  }
  Executor executor() { return context_.get_executor(); }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<Executor> work_;
  std::thread thread_;
};

/// The proxy with one published port, whose one service "hello" is the default.
class ProxyWorld {
 public:
  explicit ProxyWorld(std::vector<Upstream> machines, Options options = quick_options(),
                      Handlers handlers = {.http = true}, ConcurrencyType type = ConcurrencyType::requests,
                      std::size_t workers = 1)
      : threads_(workers), proxy_(executors(), std::move(options)) {
    Service service;
    service.app = "hello";
    service.internal_port = 8080;
    service.concurrency.type = type;
    service.upstreams = std::move(machines);
    snapshot_.services.push_back(std::move(service));
    PublishedPort port;
    port.id = ListenerId{1};
    port.external_port = 80;
    port.handlers = handlers;
    port.backends.emplace_back();
    port.default_backend = 0;
    snapshot_.ports.push_back(std::move(port));
    publish();
    UniqueFd listener = open_listener("127.0.0.1");
    port_ = port_of(listener);
    proxy_.listen(ListenerId{1}, std::move(listener));
  }
  ~ProxyWorld() { shutdown(std::chrono::milliseconds(0)); }

  void shutdown(std::chrono::milliseconds grace) {
    if (std::exchange(ended_, true)) return;
    asio::co_spawn(threads_.front().executor(), proxy_.shutdown(grace), asio::use_future).wait();
  }

  /// Change it, then publish().
  RoutingSnapshot& snapshot() { return snapshot_; }
  Service& service() { return snapshot_.services[0]; }
  void publish() { proxy_.publish(std::make_shared<const RoutingSnapshot>(snapshot_)); }

  void announce_leave(std::string machine_id) { proxy_.announce_leave(std::move(machine_id)); }

  Wire connect() const {
    Wire client = Wire::unconnected();
    client.connect("127.0.0.1", port_);
    return client;
  }
  std::uint16_t port() const { return port_; }
  Stats stats() const { return proxy_.stats(); }
  std::uint64_t logged_end() const { return proxy_.logged_end(); }
  std::vector<LoggedRequest> logged_since(std::uint64_t number, std::size_t most) const {
    return proxy_.logged_since(number, most);
  }

 private:
  std::vector<Executor> executors() {
    std::vector<Executor> all;
    for (WorkerThread& thread : threads_) all.push_back(thread.executor());
    return all;
  }

  std::list<WorkerThread> threads_;
  Proxy proxy_;
  RoutingSnapshot snapshot_;
  std::uint16_t port_ = 0;
  bool ended_ = false;
};

/// Answers each request without a body with `answer`, as long as the connection lasts.
inline FakeMachine::Script answering(std::string answer, Notes* heads = nullptr) {
  return [answer = std::move(answer), heads](Wire& wire, int) {
    for (;;) {
      std::string head = wire.read_head();
      if (head.empty()) return;
      if (heads) heads->add(head);
      if (!wire.write(answer)) return;
    }
  };
}

inline std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n";

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace flylocal::proxy::test
