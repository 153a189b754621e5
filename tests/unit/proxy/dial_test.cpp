#include <catch2/catch.hpp>

#include "holding_app.hpp"
#include "proxy/request_id.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

struct Answered {
  std::string head;
  std::string body;
};

Answered read_answer(Wire& client) {
  std::string head = client.read_head();
  std::size_t at = head.find("ontent-length: ");
  if (at == std::string::npos) at = head.find("ontent-Length: ");
  return {head, at == std::string::npos ? "" : client.read_exactly(std::stoul(head.substr(at + 15)))};
}

std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: hello.localhost\r\n\r\n";
}

std::string path_of(const std::string& head) { return head.substr(4, head.find(' ', 4) - 4); }

Options patient_options() {
  Options options = quick_options();
  options.connect_patience = 5s;
  return options;
}

std::uint64_t waiting(const ProxyWorld& world) { return world.stats().waiting_now; }

/// Sends a request and waits until the proxy has looked for a machine.
Wire send(ProxyWorld& world, std::string_view path) {
  auto before = world.stats().requests;
  Wire client = world.connect();
  client.write(get(path));
  CHECK(eventually([&] { return world.stats().requests > before; }));
  return client;
}

Sleeper sleeper(std::string id, std::string region = "ams") {
  Sleeper result;
  result.machine_id = std::move(id);
  result.region = std::move(region);
  return result;
}

auto limits(std::uint32_t soft, std::optional<std::uint32_t> hard = {}) {
  return Concurrency{.type = ConcurrencyType::requests, .soft_limit = soft, .hard_limit = hard};
}

}  // namespace

TEST_CASE("two hundred clients of a machine with a hard limit of two are all served, two at a time, in order") {
  constexpr std::size_t kClients = 200;
  auto type = GENERATE(ConcurrencyType::requests, ConcurrencyType::connections);
  HoldingApp app;
  FakeMachine served_by(app.script());
  ProxyWorld world({machine("m1", served_by.endpoint())}, patient_options(), {.http = true}, type);
  world.service().concurrency = {.type = type, .soft_limit = 1, .hard_limit = 2};
  world.publish();
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.push_back(send(world, "/" + std::to_string(i)));
  CHECK(eventually([&] { return waiting(world) == kClients - 2 && app.arrivals().size() == 2; }));
  CHECK(world.service().upstreams[0].load->current == 2);
  app.open();
  for (Wire& client : clients) CHECK(read_answer(client).body == "hi");
  CHECK(app.most() == 2);
  auto arrivals = app.arrivals();
  REQUIRE(arrivals.size() == kClients);
  // Of the two in progress either may be the first to be noted, but nobody is there before all others that came
  // earlier have begun.
  for (std::size_t i = 0; i < kClients; ++i) CHECK(std::stoul(arrivals[i].substr(1)) <= i + 1);
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 0; }));
  CHECK(waiting(world) == 0);
  CHECK(world.stats().queued == kClients - 2);
}

TEST_CASE("a client that leaves its place in the queue costs the others nothing") {
  HoldingApp app;
  FakeMachine served_by(app.script());
  ProxyWorld world({machine("m1", served_by.endpoint())}, patient_options());
  world.service().concurrency = limits(1, 1);
  world.publish();
  Wire first = send(world, "/first");
  CHECK(eventually([&] { return app.arrivals().size() == 1; }));
  Wire second = send(world, "/second");
  Wire third = send(world, "/third");
  CHECK(eventually([&] { return waiting(world) == 2; }));
  second.close();
  CHECK(eventually([&] { return waiting(world) == 1; }));
  app.release_one();
  CHECK(read_answer(first).body == "hi");
  app.release_one();
  CHECK(read_answer(third).body == "hi");
  CHECK(app.arrivals() == std::vector<std::string>{"/first", "/third"});
  CHECK(world.stats().aborted == 1);
}

TEST_CASE("a newcomer does not overtake those who wait") {
  HoldingApp app;
  FakeMachine served_by(app.script());
  ProxyWorld world({machine("m1", served_by.endpoint())}, patient_options());
  world.service().concurrency = limits(1, 1);
  world.publish();
  // The first client asks again at once, so it is there whenever room comes about.
  Wire greedy = send(world, "/greedy");
  CHECK(eventually([&] { return app.arrivals().size() == 1; }));
  greedy.write(get("/again"));
  Wire modest = send(world, "/modest");
  CHECK(eventually([&] { return waiting(world) == 1; }));
  app.open();
  CHECK(read_answer(modest).body == "hi");
  CHECK(read_answer(greedy).body == "hi");
  CHECK(read_answer(greedy).body == "hi");
  CHECK(app.arrivals() == std::vector<std::string>{"/greedy", "/modest", "/again"});
}

TEST_CASE("a request waits for a full machine only so long, and only so many wait") {
  HoldingApp app;
  FakeMachine served_by(app.script());
  Options options = patient_options();
  SECTION("too long") {
    options.queue_limit = 30ms;
    ProxyWorld world({machine("m1", served_by.endpoint())}, options);
    world.service().concurrency = limits(1, 1);
    world.publish();
    Wire first = send(world, "/first");
    Wire second = send(world, "/second");
    auto [head, body] = read_answer(second);
    CHECK(head.starts_with("HTTP/1.1 503 "));
    CHECK(has(body, "PR04"));
    CHECK(has(body, "Every healthy machine of app hello stayed at its hard limit of 1 for too long."));
    CHECK(world.stats().queue_refusals == 1);
    app.open();
    CHECK(read_answer(first).body == "hi");
    second.write(get("/later"));
    CHECK(read_answer(second).body == "hi");
  }
  SECTION("too many") {
    options.max_waiting = 1;
    ProxyWorld world({machine("m1", served_by.endpoint())}, options);
    world.service().concurrency = limits(1, 1);
    world.publish();
    Wire first = send(world, "/first");
    Wire second = send(world, "/second");
    CHECK(eventually([&] { return waiting(world) == 1; }));
    Wire third = send(world, "/third");
    auto [head, body] = read_answer(third);
    CHECK(head.starts_with("HTTP/1.1 503 "));
    CHECK(has(body, "Too many requests wait for a machine of app hello already."));
    app.open();
    CHECK(read_answer(first).body == "hi");
    CHECK(read_answer(second).body == "hi");
  }
  SECTION("as a TCP client, which is reset") {
    options.queue_limit = 30ms;
    ProxyWorld world({machine("m1", served_by.endpoint())}, options, {});
    world.service().concurrency = limits(1, 1);
    world.publish();
    Wire first = world.connect();
    CHECK(eventually([&] { return world.service().upstreams[0].load->current == 1; }));
    Wire second = world.connect();
    CHECK(second.at_end());
    CHECK(second.end_error() == ECONNRESET);
  }
}

TEST_CASE("a TCP client waits for another one to leave") {
  FakeMachine app([](Wire& wire, int connection) {
    wire.write(std::to_string(connection));
    wire.read_to_end();
  });
  ProxyWorld world({machine("m1", app.endpoint())}, patient_options(), {}, ConcurrencyType::connections);
  world.service().concurrency = {.type = ConcurrencyType::connections, .soft_limit = 1, .hard_limit = 1};
  world.publish();
  Wire first = world.connect();
  CHECK(first.read_exactly(1) == "0");
  Wire second = world.connect();
  CHECK(eventually([&] { return waiting(world) == 1; }));
  first.close();
  CHECK(second.read_exactly(1) == "1");
}

TEST_CASE("a queue moves when another machine comes, and when the limit is raised") {
  HoldingApp app;
  FakeMachine one(app.script("one"));
  FakeMachine two(app.script("two"));
  ProxyWorld world({machine("m1", one.endpoint())}, patient_options());
  world.service().concurrency = limits(1, 1);
  world.publish();
  Wire first = send(world, "/first");
  CHECK(eventually([&] { return app.arrivals().size() == 1; }));
  Wire second = send(world, "/second");
  CHECK(eventually([&] { return waiting(world) == 1; }));
  Wire third = send(world, "/third");
  CHECK(eventually([&] { return waiting(world) == 2; }));
  world.service().upstreams.push_back(machine("m2", two.endpoint()));
  world.publish();
  CHECK(eventually([&] { return app.arrivals().size() == 2; }));
  CHECK(app.arrivals().back() == "/second");
  world.service().concurrency = limits(1, 2);
  world.publish();
  CHECK(eventually([&] { return app.arrivals().size() == 3; }));
  app.open();
  CHECK(read_answer(first).body == "one");
  CHECK(read_answer(second).body == "two");
  CHECK(has(read_answer(third).head, "200 OK"));
}

TEST_CASE("while no machine is healthy a request waits, and is served when one is") {
  FakeMachine app(answering(ok("hi")));
  auto ill = machine("m1", app.endpoint());
  Options options = patient_options();
  bool cordoned = GENERATE(false, true);
  (cordoned ? ill.cordoned : ill.healthy) = cordoned;
  SECTION("in time") {
    ProxyWorld world({ill}, options);
    Wire client = send(world, "/");
    CHECK(eventually([&] { return waiting(world) == 1; }));
    CHECK(app.accepted() == 0);
    world.service().upstreams[0].healthy = true;
    world.service().upstreams[0].cordoned = false;
    world.publish();
    CHECK(read_answer(client).body == "hi");
  }
  SECTION("too late") {
    options.queue_limit = 30ms;
    ProxyWorld world({ill}, options);
    Wire client = send(world, "/");
    auto [head, body] = read_answer(client);
    CHECK(head.starts_with("HTTP/1.1 503 "));
    CHECK(has(body, cordoned ? "All machines of app hello are cordoned."
                             : "No machine of app hello passes its service checks."));
    CHECK(app.accepted() == 0);
  }
}

TEST_CASE("fifty requests at once wake one machine once, and all go to it") {
  FakeMachine app(answering(ok("awake")));
  Notes woken;
  Options options = patient_options();
  options.on_wake = [&](std::string_view id) { woken.add(std::string(id)); };
  ProxyWorld world({}, options);
  world.service().concurrency = limits(100);
  world.service().sleepers = {sleeper("far", "syd"), sleeper("near", "fra")};
  world.snapshot().distances =
      std::make_shared<const RegionDistances>(RegionDistances{{"ams", {{"fra", 364}, {"syd", 16600}}}});
  world.publish();
  std::vector<Wire> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(world.connect());
  for (Wire& client : clients) client.write(kGet);
  CHECK(eventually([&] { return waiting(world) == 50; }));
  CHECK(woken.all() == std::vector<std::string>{"near"});
  // Its checks do not pass at first: it is on its way all the same.
  world.service().sleepers = {sleeper("far", "syd")};
  world.service().upstreams = {machine("near", app.endpoint())};
  world.service().upstreams[0].healthy = false;
  world.publish();
  Wire late = send(world, "/late");
  CHECK(eventually([&] { return waiting(world) == 51; }));
  world.service().upstreams[0].healthy = true;
  world.publish();
  for (Wire& client : clients) CHECK(read_answer(client).body == "awake");
  CHECK(read_answer(late).body == "awake");
  CHECK(woken.all() == std::vector<std::string>{"near"});
  CHECK(world.stats().wakes == 1);
  CHECK(world.stats().wake_failures == 0);
  CHECK(waiting(world) == 0);
}

TEST_CASE("when all machines reached their soft limit, one more is woken, and the request goes to it") {
  HoldingApp app;
  FakeMachine one(app.script("one"));
  FakeMachine two(answering(ok("two")));
  Notes woken;
  Options options = patient_options();
  options.on_wake = [&](std::string_view id) { woken.add(std::string(id)); };
  ProxyWorld world({machine("m1", one.endpoint())}, options);
  world.service().concurrency = limits(1);
  world.service().sleepers = {sleeper("m2", "syd")};
  world.publish();
  Wire first = send(world, "/first");
  CHECK(eventually([&] { return app.arrivals().size() == 1; }));
  CHECK(woken.all().empty());
  Wire second = send(world, "/second");
  CHECK(eventually([&] { return woken.all() == std::vector<std::string>{"m2"}; }));
  SECTION("also when it is farther than a machine that still has room") {
    world.service().sleepers.clear();
    world.service().upstreams.push_back(machine("m2", two.endpoint()));
    world.service().upstreams.back().region = "syd";
    world.publish();
    CHECK(read_answer(second).body == "two");
    app.open();
  }
  SECTION("unless the running one has less to do before it comes") {
    app.open();
    CHECK(read_answer(second).body == "one");
    Wire third = send(world, "/third");
    CHECK(read_answer(third).body == "one");
    CHECK(woken.all().size() == 1);
  }
  CHECK(has(read_answer(first).head, "200 OK"));
}

TEST_CASE("when waking takes too long, a machine with room serves; without one it is a 503") {
  HoldingApp app;
  FakeMachine one(app.script("one"));
  Notes woken;
  Options options = patient_options();
  options.wake_patience = 40ms;
  options.on_wake = [&](std::string_view id) { woken.add(std::string(id)); };
  ProxyWorld world({machine("m1", one.endpoint())}, options);
  world.service().concurrency = limits(1, 2);
  world.service().sleepers = {sleeper("m2")};
  world.publish();
  Wire first = send(world, "/first");
  CHECK(eventually([&] { return app.arrivals().size() == 1; }));
  Wire second = send(world, "/second");
  CHECK(eventually([&] { return app.arrivals().size() == 2; }));
  CHECK(world.stats().wake_failures == 1);
  app.open();
  CHECK(read_answer(first).body == "one");
  CHECK(read_answer(second).body == "one");
  world.service().upstreams.clear();
  world.publish();
  Wire third = send(world, "/third");
  auto [head, body] = read_answer(third);
  CAPTURE(head, body);
  CHECK(head.starts_with("HTTP/1.1 503 "));
  CHECK(has(body, "PM03"));
  CHECK(has(body, "Machine m2 of app hello was started for this request, but was not ready in time."));
  // Another request is another attempt.
  CHECK(woken.all() == std::vector<std::string>{"m2", "m2"});
}

TEST_CASE("when waking fails the request does not wait any longer") {
  FakeMachine two(answering(ok("two")));
  Notes woken;
  Options options = patient_options();
  options.wake_patience = 60s;
  options.on_wake = [&](std::string_view id) { woken.add(std::string(id)); };
  ProxyWorld world({}, options);
  world.service().sleepers = {sleeper("m1")};
  world.publish();
  Wire client = send(world, "/");
  CHECK(eventually([&] { return woken.all().size() == 1; }));
  SECTION("because the machine is gone") {
    world.service().sleepers.clear();
    world.publish();
    auto [head, body] = read_answer(client);
    CHECK(head.starts_with("HTTP/1.1 503 "));
    CHECK(has(body, "PM07"));
  }
  SECTION("because its start failed") {
    world.service().sleepers[0].ended_starts = 1;
    world.publish();
    CHECK(has(read_answer(client).body, "Machine m1 of app hello was to be started for this request, but its start failed."));
    Wire next = send(world, "/");
    CHECK(eventually([&] { return woken.all().size() == 2; }));
  }
  SECTION("and another machine serves when there is one") {
    world.service().sleepers.clear();
    world.service().upstreams = {machine("m2", two.endpoint())};
    world.publish();
    CHECK(read_answer(client).body == "two");
  }
  CHECK(world.stats().wake_failures == 1);
}

TEST_CASE("a woken machine that never listens is PM05") {
  Options options = quick_options();
  options.on_wake = [](std::string_view) {};
  ProxyWorld world({}, options);
  world.service().sleepers = {sleeper("m1")};
  world.publish();
  Wire client = send(world, "/");
  CHECK(eventually([&] { return waiting(world) == 1; }));
  world.service().sleepers.clear();
  world.service().upstreams = {machine("m1", closed_endpoint())};
  world.publish();
  auto [head, body] = read_answer(client);
  CHECK(head.starts_with("HTTP/1.1 503 "));
  CHECK(has(body, "PM05"));
  CHECK(has(body, "tried: machine m1"));
  CHECK(world.stats().upstream_failures >= 3);
}

TEST_CASE("clients that wait for a machine to wake may leave") {
  FakeMachine app(answering(ok("hi")));
  Options options = patient_options();
  options.on_wake = [](std::string_view) {};
  ProxyWorld world({}, options);
  world.service().sleepers = {sleeper("m1")};
  world.publish();
  Wire first = send(world, "/first");
  Wire second = send(world, "/second");
  CHECK(eventually([&] { return waiting(world) == 2; }));
  first.close();
  CHECK(eventually([&] { return waiting(world) == 1; }));
  world.service().sleepers.clear();
  world.service().upstreams = {machine("m1", app.endpoint())};
  world.publish();
  CHECK(read_answer(second).body == "hi");
}

TEST_CASE("shutdown breaks off those who wait") {
  Options options = patient_options();
  options.on_wake = [](std::string_view) {};
  ProxyWorld world({}, options);
  world.service().sleepers = {sleeper("m1")};
  world.publish();
  Wire client = send(world, "/");
  CHECK(eventually([&] { return waiting(world) == 1; }));
  world.shutdown(10ms);
  CHECK(client.at_end());
  CHECK(waiting(world) == 0);
}

TEST_CASE("a request that a machine drops unanswered goes to another one only when it may be repeated") {
  Notes taken;
  FakeMachine dying([&](Wire& wire, int) { taken.add(path_of(wire.read_head())); });
  FakeMachine sound(answering(ok("sound")));
  auto far = machine("sound", sound.endpoint());
  far.region = "syd";
  ProxyWorld world({machine("dying", dying.endpoint()), far}, patient_options());
  Wire client = world.connect();
  client.write(get("/get"));
  CHECK(read_answer(client).body == "sound");
  CHECK(taken.all() == std::vector<std::string>{"/get"});
  CHECK(world.stats().retries == 1);
  client.write("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  auto [head, body] = read_answer(client);
  CHECK(head.starts_with("HTTP/1.1 502 "));
  CHECK(has(body, "Machine dying took the request"));
  CHECK(sound.accepted() == 1);
}

TEST_CASE("a request that is sent again does not wait for itself") {
  FakeMachine app([](Wire& wire, int connection) {
    wire.read_head();
    wire.write(ok("hi"));
    if (connection > 0) return;
    wire.read_head();
    wire.reset();
  });
  ProxyWorld world({machine("m1", app.endpoint())}, patient_options());
  world.service().concurrency = limits(1, 1);
  world.publish();
  Wire client = world.connect();
  client.write(kGet + kGet);
  CHECK(read_answer(client).body == "hi");
  CHECK(read_answer(client).body == "hi");
  CHECK(world.stats().retries == 1);
  CHECK(world.stats().queued == 0);
}

TEST_CASE("a machine that leaves the routing while it is being connected to is not waited for") {
  // A listener whose queue is full lets the kernel drop further SYNs: nobody ever answers.
  UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = address_of("127.0.0.1", 0);
  REQUIRE(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(silent.get(), 0) == 0);
  Wire filler = Wire::unconnected();
  filler.connect("127.0.0.1", port_of(silent));
  asio::ip::tcp::endpoint endpoint{asio::ip::make_address_v4("127.0.0.1"), port_of(silent)};

  FakeMachine sound(answering(ok("sound")));
  Options options = patient_options();
  options.connect_limit = 60s;
  ProxyWorld world({machine("silent", endpoint)}, options);
  Wire client = send(world, "/");
  CHECK(eventually([&] { return world.service().upstreams[0].load->current == 1; }));
  CHECK_FALSE(client.readable_within(50ms));
  world.service().upstreams = {machine("sound", sound.endpoint())};
  world.publish();
  CHECK(read_answer(client).body == "sound");
}

TEST_CASE("the edge's region decides which machine is near, and the request may name it") {
  Notes heads;
  FakeMachine ams(answering(ok("ams")));
  FakeMachine syd(answering(ok("syd"), &heads));
  auto far = machine("m2", syd.endpoint());
  far.region = "syd";
  ProxyWorld world({machine("m1", ams.endpoint()), far}, patient_options());
  Wire client = world.connect();
  for (int i = 0; i < 10; ++i) {
    client.write(kGet);
    CHECK(read_answer(client).body == "ams");
    client.write("GET / HTTP/1.1\r\nHost: a\r\nFlyLocal-Edge-Region: syd\r\n\r\n");
    auto [head, body] = read_answer(client);
    CHECK(body == "syd");
    CHECK(has(head, "-syd\r\n"));
  }
  std::string seen = heads.all().front();
  CHECK(has(seen, "Fly-Region: syd\r\n"));
  CHECK_FALSE(has(seen, "Edge-Region"));
  client.write("GET / HTTP/1.1\r\nHost: a\r\nflylocal-edge-region: Sydney!\r\n\r\n");
  auto [head, body] = read_answer(client);
  CHECK(head.starts_with("HTTP/1.1 400 "));
  CHECK(has(body, "flylocal-edge-region does not name a region"));

  world.snapshot().ports[0].edge_region = "syd";
  world.publish();
  Wire other = world.connect();
  other.write(kGet);
  CHECK(read_answer(other).body == "syd");
}

TEST_CASE("no request is lost while machines are woken, put to sleep, cordoned and ill under load") {
  constexpr int kClients = 8;
  constexpr int kRequests = 250;
  FakeMachine one(answering(ok("hi")));
  FakeMachine two(answering(ok("hi")));
  std::mutex mutex;
  ProxyWorld* publishing = nullptr;
  std::atomic<int> wakes{0};
  Options options = patient_options();
  options.on_wake = [&](std::string_view id) {
    std::lock_guard lock(mutex);
    ++wakes;
    Service& service = publishing->service();
    auto asleep = std::find_if(service.sleepers.begin(), service.sleepers.end(),
                               [&](const Sleeper& one_of) { return one_of.machine_id == id; });
    if (asleep == service.sleepers.end()) return;
    service.upstreams.push_back(machine(std::string(id), id == "m1" ? one.endpoint() : two.endpoint()));
    service.sleepers.erase(asleep);
    publishing->publish();
  };
  ProxyWorld world({}, options);
  publishing = &world;
  {
    std::lock_guard lock(mutex);
    world.service().concurrency = limits(2, 4);
    world.service().sleepers = {sleeper("m1"), sleeper("m2")};
    world.publish();
  }
  std::atomic<int> served{0};
  std::atomic<std::uint64_t> running{kClients};
  Notes lost;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      Wire client = world.connect();
      for (int request = 0; request < kRequests; ++request) {
        client.write(kGet);
        auto [head, body] = read_answer(client);
        if (has(head, "200 OK")) ++served;
        else lost.add(head + body);
      }
      --running;
    });
  }
  RandomBits random(11);
  while (running > 0) {
    auto before = served.load();
    {
      std::lock_guard lock(mutex);
      Service& service = world.service();
      for (Upstream& upstream : service.upstreams) {
        upstream.healthy = random() % 3 != 0;
        upstream.cordoned = random() % 4 == 0;
      }
      // One that took a request: the proxy knows that it came.
      if (!service.upstreams.empty() && service.upstreams.back().load->total > 0 && random() % 2 == 0) {
        service.sleepers.push_back(sleeper(service.upstreams.back().machine_id));
        service.upstreams.pop_back();
      }
      world.publish();
    }
    eventually([&] { return served > before || waiting(world) == running; });
  }
  for (std::thread& client : clients) client.join();
  CHECK(lost.all() == std::vector<std::string>{});
  CHECK(served == kClients * kRequests);
  CHECK(wakes > 5);
  CHECK(waiting(world) == 0);
}
