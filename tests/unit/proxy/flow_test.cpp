#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "proxy/io/flow_group.hpp"
#include "proxy/io/wakeup.hpp"

namespace flylocal::proxy {
namespace {

/// A poller on this thread, and the Flows that a test starts.
struct World {
  asio::io_context context{1};
  std::shared_ptr<Poller> poller = std::make_shared<Poller>(context.get_executor());
  FlowGroup flows{*poller};

  void run() {
    context.restart();
    context.poll();
  }
};

Flow<int> give(int number) { co_return number; }

Flow<std::string> fail(bool really) {
  if (really) throw std::runtime_error("as told");
  co_return "fine";
}

TEST_CASE("a Flow begins in the poller's next round, and gives its result to its caller") {
  World world;
  int sum = 0;
  auto add = [](int& result) -> Flow<> {
    const int one = co_await give(1);
    const int two = co_await give(2);
    result = one + two;
  };
  world.flows.start(add(sum));
  CHECK(sum == 0);
  CHECK(world.flows.size() == 1);
  world.run();
  CHECK(sum == 3);
  CHECK(world.flows.size() == 0);
}

TEST_CASE("an exception goes to the caller; one that nobody catches ends the Flow and no other") {
  World world;
  std::string told;
  auto careful = [](std::string& result) -> Flow<> {
    try {
      result = co_await fail(false);
      result += co_await fail(true);
    } catch (const std::runtime_error& error) {
      result += error.what();
    }
  };
  auto careless = []() -> Flow<> { (void)co_await fail(true); };
  world.flows.start(careless());
  world.flows.start(careful(told));
  world.run();
  CHECK(told == "fineas told");
  CHECK(world.flows.size() == 0);
}

TEST_CASE("calls that never wait do not use up the stack") {
  World world;
  long sum = 0;
  auto add = [](long& result) -> Flow<> {
    for (int i = 0; i < 300'000; ++i) {
      const int one = co_await give(1);
      result += one;
    }
  };
  world.flows.start(add(sum));
  world.run();
  CHECK(sum == 300'000);
}

TEST_CASE("a Flow waits for its Wakeup, from however deep a call; news that came before is not lost") {
  World world;
  Wakeup wakeup(*world.poller);
  std::vector<std::string> done;
  auto wait = [](Wakeup& news) -> Flow<> { co_await news.wait(); };
  auto outer = [&wait](Wakeup& news, std::vector<std::string>& steps) -> Flow<> {
    co_await wait(news);
    steps.push_back("first");
    co_await news.wait();
    steps.push_back("second");
    co_await news.yield();
    steps.push_back("third");
  };
  wakeup.take_turn();
  world.flows.start(outer(wakeup, done));
  world.run();
  CHECK(done == std::vector<std::string>{"first"});
  world.poller->schedule(wakeup);
  world.run();
  CHECK(done == std::vector<std::string>{"first", "second", "third"});
}

TEST_CASE("a group's end ends what still waits, with all that it holds") {
  auto held = std::make_shared<int>(0);
  {
    asio::io_context context{1};
    auto poller = std::make_shared<Poller>(context.get_executor());
    Wakeup never(*poller);
    FlowGroup flows(*poller);
    auto inner = [](Wakeup& news, std::shared_ptr<int>) -> Flow<> { co_await news.wait(); };
    auto outer = [&inner](Wakeup& news, std::shared_ptr<int> mine) -> Flow<> { co_await inner(news, mine); };
    flows.start(outer(never, held));
    flows.start(outer(never, held));  // this one has not begun
    CHECK(held.use_count() == 3);
    context.poll();
    CHECK(held.use_count() == 5);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("waiting for a group ends when its last Flow does") {
  World world;
  Wakeup wakeup(*world.poller);
  bool ended = false;
  auto wait = [](Wakeup& news) -> Flow<> { co_await news.wait(); };
  world.flows.start(wait(wakeup));
  asio::co_spawn(world.context, world.flows.wait(), [&ended](std::exception_ptr failure) { ended = !failure; });
  world.run();
  CHECK_FALSE(ended);
  world.poller->schedule(wakeup);
  world.run();
  CHECK(ended);
}

TEST_CASE("pieces of kept memory that are held at once do not touch each other, whatever their sizes") {
  const std::vector<std::size_t> sizes{0, 1, 63, 64, 65, 4095, 4096, 4097, 100'000};
  for (int round = 0; round < 3; ++round) {
    std::vector<std::pair<char*, std::size_t>> pieces;
    for (int i = 0; i < 100; ++i) {
      const std::size_t size = sizes[static_cast<std::size_t>(i * 7 + round) % sizes.size()];
      pieces.emplace_back(static_cast<char*>(kept_memory::take(size)), size);
      CHECK(reinterpret_cast<std::uintptr_t>(pieces.back().first) % alignof(std::max_align_t) == 0);
      std::fill_n(pieces.back().first, size, static_cast<char>(i));
    }
    bool intact = true;
    for (int i = 0; i < 100; ++i) {
      const auto [piece, size] = pieces[static_cast<std::size_t>(i)];
      intact &= std::all_of(piece, piece + size, [i](char c) { return c == static_cast<char>(i); });
    }
    CHECK(intact);
    for (const auto& [piece, size] : pieces) kept_memory::give_back(piece, size);
  }
}

}  // namespace
}  // namespace flylocal::proxy
