#include <catch2/catch.hpp>
#include <set>

#include "holding_app.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kWorkers = 4;

Options patient_options() {
  Options options = quick_options();
  options.connect_patience = 5s;
  return options;
}

struct Workers : ProxyWorld {
  explicit Workers(std::vector<Upstream> machines, Options options = patient_options(),
                   ConcurrencyType type = ConcurrencyType::requests)
      : ProxyWorld(std::move(machines), std::move(options), {.http = true}, type, kWorkers) {}
};

std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: hello.localhost\r\n\r\n";
}

std::string body_of_answer(Wire& client) {
  const std::string head = client.read_head();
  std::size_t at = head.find("ontent-Length: ");
  if (at == std::string::npos) at = head.find("ontent-length: ");
  return at == std::string::npos ? "" : client.read_exactly(std::stoul(head.substr(at + 15)));
}

Concurrency limits(std::uint32_t soft, std::optional<std::uint32_t> hard = {}) {
  return {.type = ConcurrencyType::requests, .soft_limit = soft, .hard_limit = hard};
}

}  // namespace

TEST_CASE("workers: clients are spread evenly, and each stays with its worker") {
  FakeMachine app(answering(ok("hi")));
  std::mutex mutex;
  std::map<std::thread::id, std::set<std::string>> served;
  Options options = patient_options();
  options.on_request = [&](const RequestRecord& record) {
    const std::lock_guard lock(mutex);
    served[std::this_thread::get_id()].insert(std::string(record.target));
  };
  {
    Workers world({machine("m1", app.endpoint())}, options);
    std::vector<Wire> clients;
    for (std::size_t i = 0; i < 2 * kWorkers; ++i) {
      clients.push_back(world.connect());
      // The next client is counted against this one.
      CHECK(eventually([&] { return world.stats().clients_now == i + 1; }));
    }
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].write(get("/" + std::to_string(i)));
        CHECK(body_of_answer(clients[i]) == "hi");
      }
    }
    CHECK(world.stats().requests == 3 * clients.size());
    // Who connects to the machine keeps the connection for its own clients.
    CHECK(app.accepted() == int{kWorkers});
  }
  REQUIRE(served.size() == kWorkers);
  std::set<std::string> all;
  for (const auto& [thread, targets] : served) {
    CHECK(targets.size() == 2);
    all.insert(targets.begin(), targets.end());
  }
  CHECK(all.size() == 2 * kWorkers);
}

TEST_CASE("workers: a hard limit holds for all of them together, and nobody is overtaken") {
  constexpr std::size_t kClients = 200;
  const auto type = GENERATE(ConcurrencyType::requests, ConcurrencyType::connections);
  HoldingApp app;
  FakeMachine served_by(app.script(""));
  Workers world({machine("m1", served_by.endpoint())}, patient_options(), type);
  world.service().concurrency = {.type = type, .soft_limit = 1, .hard_limit = 2};
  world.publish();
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(world.connect());
    clients.back().write(get("/" + std::to_string(i)));
    if (i < 2) {
      CHECK(eventually([&] { return app.arrivals().size() == i + 1; }));
    } else {
      CHECK(eventually([&] { return world.stats().waiting_now == i - 1; }));
    }
  }
  CHECK(world.service().upstreams[0].load->current == 2);
  app.open();
  for (std::size_t i = 0; i < kClients; ++i) CHECK(body_of_answer(clients[i]) == "/" + std::to_string(i));
  CHECK(app.most() == 2);
  // Two are called in their order, but go their ways on different threads.
  const auto arrivals = app.arrivals();
  REQUIRE(arrivals.size() == kClients);
  for (std::size_t i = 0; i < kClients; ++i) CHECK(std::stoul(arrivals[i].substr(1)) <= i + 1);
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
  CHECK(world.stats().waiting_now == 0);
}

TEST_CASE("workers: a request that leaves its place passes its call on to another worker's") {
  HoldingApp app;
  FakeMachine served_by(app.script(""));
  Workers world({machine("m1", served_by.endpoint())});
  world.service().concurrency = limits(1, 1);
  world.publish();
  Wire first = world.connect();
  first.write(get("/first"));
  CHECK(eventually([&] { return app.arrivals().size() == 1; }));
  std::vector<Wire> waiting;
  for (std::size_t i = 0; i < 2 * kWorkers; ++i) {
    waiting.push_back(world.connect());
    waiting.back().write(get("/" + std::to_string(i)));
    CHECK(eventually([&] { return world.stats().waiting_now == i + 1; }));
  }
  for (std::size_t i = 0; i + 1 < waiting.size(); ++i) waiting[i].close();
  CHECK(eventually([&] { return world.stats().waiting_now == 1; }));
  app.open();
  CHECK(body_of_answer(first) == "/first");
  CHECK(body_of_answer(waiting.back()) == "/" + std::to_string(2 * kWorkers - 1));
}

TEST_CASE("workers: who comes while a call is not answered yet gets the room that there is beyond it") {
  HoldingApp app;
  FakeMachine served_by(app.script(""));
  std::atomic<bool> is_held{false}, goes_on{false};
  Options options = patient_options();
  options.on_request = [&](const RequestRecord& record) {
    if (record.status != 400) return;
    is_held = true;
    eventually([&] { return goes_on.load(); });
  };
  ProxyWorld world({machine("m1", served_by.endpoint())}, options, {.http = true}, ConcurrencyType::requests, 2);
  world.service().concurrency = limits(2, 2);
  world.publish();
  // In turn to the one worker and the other.
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < 5; ++i) {
    clients.push_back(world.connect());
    CHECK(eventually([&] { return world.stats().clients_now == i + 1; }));
  }
  clients[0].write(get("/first"));
  clients[2].write(get("/second"));
  CHECK(eventually([&] { return app.arrivals().size() == 2; }));
  clients[1].write(get("/waits"));
  CHECK(eventually([&] { return world.stats().waiting_now == 1; }));
  // Its worker does not hear that it is called.
  clients[3].write("no request\r\n\r\n");
  REQUIRE(eventually([&] { return is_held.load(); }));
  SECTION("room of a second request") {
    app.release_one();
    app.release_one();
    CHECK(body_of_answer(clients[0]) == "/first");
    CHECK(body_of_answer(clients[2]) == "/second");
    CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
    clients[4].write(get("/late"));
    CHECK(eventually([&] { return app.arrivals().size() == 3; }));
    goes_on = true;
    CHECK(eventually([&] { return app.arrivals().size() == 4; }));
    app.open();
  }
  SECTION("room that a change of routing brings") {
    world.service().concurrency = limits(4, 4);
    world.publish();
    clients[4].write(get("/late"));
    CHECK(eventually([&] { return world.stats().waiting_now == 2; }));
    goes_on = true;
    CHECK(eventually([&] { return app.arrivals().size() == 4; }));
    app.open();
    CHECK(body_of_answer(clients[0]) == "/first");
    CHECK(body_of_answer(clients[2]) == "/second");
  }
  CHECK(body_of_answer(clients[1]) == "/waits");
  CHECK(body_of_answer(clients[4]) == "/late");
}

TEST_CASE("workers: one machine is woken for the requests of all") {
  FakeMachine app(answering(ok("awake")));
  Notes woken;
  std::function<void()> on_woken;
  Options options = patient_options();
  options.on_wake = [&](std::string_view id) {
    woken.add(std::string(id));
    // Whoever starts machines may have one at once.
    if (on_woken) on_woken();
  };
  Workers world({}, options);
  world.service().concurrency = limits(1000);
  for (const char* id : {"m1", "m2"}) world.service().sleepers.push_back({.machine_id = id, .region = "ams"});
  world.publish();
  SECTION("which comes later") {
    std::vector<Wire> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(world.connect());
    for (Wire& client : clients) client.write(kGet);
    CHECK(eventually([&] { return world.stats().waiting_now == 50; }));
    REQUIRE(woken.all().size() == 1);
    std::erase_if(world.service().sleepers, [&](const Sleeper& one) { return one.machine_id == woken.all()[0]; });
    world.service().upstreams = {machine(woken.all()[0], app.endpoint())};
    world.publish();
    for (Wire& client : clients) CHECK(body_of_answer(client) == "awake");
  }
  SECTION("which is there while it is asked for") {
    on_woken = [&] {
      world.service().sleepers.clear();
      world.service().upstreams = {machine(woken.all()[0], app.endpoint())};
      world.publish();
    };
    Wire client = world.connect();
    client.write(kGet);
    CHECK(body_of_answer(client) == "awake");
  }
  CHECK(woken.all().size() == 1);
  CHECK(world.stats().wakes == 1);
  CHECK(world.stats().waiting_now == 0);
}

TEST_CASE("workers: once routing is published, no worker goes by what was before") {
  FakeMachine one(answering(ok("m1"))), two(answering(ok("m2")));
  Workers world({machine("m1", one.endpoint())});
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < 2 * kWorkers; ++i) clients.push_back(world.connect());
  for (int round = 0; round < 100; ++round) {
    const std::string now = round % 2 == 0 ? "m2" : "m1";
    world.service().upstreams = {machine(now, (now == "m1" ? one : two).endpoint())};
    world.publish();
    for (Wire& client : clients) client.write(kGet);
    for (Wire& client : clients) CHECK(body_of_answer(client) == now);
  }
}

TEST_CASE("workers: all clients together have one limit") {
  FakeMachine app(answering(ok("hi")));
  Options options = patient_options();
  options.max_clients = kWorkers + 1;
  Workers world({machine("m1", app.endpoint())}, options);
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < options.max_clients; ++i) clients.push_back(world.connect());
  CHECK(eventually([&] { return world.stats().clients_now == options.max_clients; }));
  Wire late = world.connect();
  late.write(kGet);
  for (Wire& client : clients) {
    client.write(kGet);
    CHECK(body_of_answer(client) == "hi");
  }
  CHECK_FALSE(late.readable_within(0ms));
  clients[1].close();
  CHECK(body_of_answer(late) == "hi");
}

TEST_CASE("workers: WebSockets of all of them are told that their machine goes away") {
  const std::string farewell("\x88\x02\x03\xe9", 4);  // RFC 6455 5.5.1: close, 1001
  FakeMachine app([](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    wire.read_exactly(1);
  });
  Workers world({machine("m1", app.endpoint())});
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < 2 * kWorkers; ++i) {
    clients.push_back(world.connect());
    clients.back().write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    CHECK(clients.back().read_head().starts_with("HTTP/1.1 101 "));
  }
  world.announce_leave("m1");
  for (Wire& client : clients) CHECK(client.read_exactly(farewell.size()) == farewell);
}

TEST_CASE("workers: the end lets requests of all of them come to theirs, until the grace is over") {
  HoldingApp app;
  FakeMachine served_by(app.script(""));
  Workers world({machine("m1", served_by.endpoint())});
  world.service().concurrency = limits(1000);
  world.publish();
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < 2 * kWorkers; ++i) {
    clients.push_back(world.connect());
    clients.back().write(get("/" + std::to_string(i)));
  }
  Wire idle = world.connect();
  CHECK(eventually([&] { return app.arrivals().size() == clients.size() && world.stats().clients_now == clients.size() + 1; }));
  SECTION("in time") {
    std::thread ending([&] { world.shutdown(5s); });
    CHECK(idle.at_end());
    app.open();
    for (std::size_t i = 0; i < clients.size(); ++i) CHECK(body_of_answer(clients[i]) == "/" + std::to_string(i));
    ending.join();
  }
  SECTION("too late") {
    world.shutdown(50ms);
    for (Wire& client : clients) CHECK(client.at_end());
    app.open();
  }
  CHECK(world.stats().clients_now == 0);
  CHECK(world.service().upstreams[0].load->current == 0);
}

TEST_CASE("workers: every request is in the log, once, while machines come and go") {
  constexpr int kClients = 16, kRequests = 200;
  std::vector<std::unique_ptr<FakeMachine>> apps;
  std::vector<Upstream> machines;
  for (const char* id : {"m1", "m2", "m3"}) {
    apps.push_back(std::make_unique<FakeMachine>(answering(ok(id))));
    machines.push_back(machine(id, apps.back()->endpoint()));
  }
  Workers world(machines);
  world.service().concurrency = limits(2, 3);
  world.publish();
  std::atomic<int> done{0}, good{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      Wire client = world.connect();
      for (int n = 0; n < kRequests; ++n) {
        client.write(kGet);
        good += body_of_answer(client).starts_with("m");
      }
      ++done;
    });
  }
  for (std::size_t turn = 0; done < kClients; ++turn) {
    // Never all of them at once.
    world.service().upstreams = {machines[turn % 3], machines[(turn + 1) % 3]};
    if (turn % 2 == 0) world.service().upstreams[0].cordoned = true;
    world.publish();
    std::this_thread::sleep_for(100us);  // a rate, not a wait
  }
  for (std::thread& client : clients) client.join();
  CHECK(good == kClients * kRequests);
  CHECK(world.stats().requests == kClients * kRequests);
  CHECK(eventually([&] { return world.logged_end() == kClients * kRequests; }));
  std::uint64_t next = 0;
  std::set<std::string> ids;
  for (const LoggedRequest& one : world.logged_since(0, RequestLog::kSlots)) {
    CHECK(one.number == next++);
    ids.insert(one.request_id);
    CHECK(one.status == 200);
  }
  CHECK(ids.size() == kClients * kRequests);
  for (const Upstream& one : machines) CHECK(eventually([&] { return one.load->current == 0; }));
  CHECK(world.stats().waiting_now == 0);
}
