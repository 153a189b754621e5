#include "flylocal/base/task_group.hpp"

#include <catch2/catch.hpp>

using namespace flylocal;
using namespace std::chrono_literals;

TEST_CASE("a task group ends its tasks when cancelled, and wait() ends after the last of them") {
  asio::io_context context;
  TaskGroup tasks(context.get_executor());
  int ended = 0;
  auto sleeper = [](int& count) -> Task<> {
    co_await sleep_for(1h);
    ++count;
  };
  tasks.spawn("first", sleeper(ended));
  tasks.spawn("second", sleeper(ended));
  bool waited = false;
  asio::co_spawn(
      context,
      [&]() -> Task<> {
        co_await sleep_for(1ms);
        CHECK(tasks.size() == 2);
        tasks.cancel();
        co_await tasks.wait();
        waited = true;
      },
      [](std::exception_ptr failure) { CHECK_FALSE(failure); });
  context.run();
  CHECK(ended == 2);
  CHECK(waited);
  CHECK(tasks.size() == 0);
}

TEST_CASE("an exception ends its own task only") {
  asio::io_context context;
  TaskGroup tasks(context.get_executor());
  bool survived = false;
  tasks.spawn("thrower", []() -> Task<> {
    throw std::runtime_error("expected by the test");
    co_return;
  }());
  auto survivor = [](bool& flag) -> Task<> {
    co_await sleep_for(1ms);
    flag = true;
  };
  tasks.spawn("survivor", survivor(survived));
  context.run();
  CHECK(survived);
}
