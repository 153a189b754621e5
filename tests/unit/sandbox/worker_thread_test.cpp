#include "flylocal/sandbox/worker_thread.hpp"

#include <atomic>
#include <catch2/catch.hpp>

#include "flylocal/base/task_group.hpp"

using namespace flylocal;
using namespace std::chrono_literals;

namespace {

/// Runs `body` on an io_context of the calling thread to its end.
void run_on_main(const std::function<Task<>(asio::io_context&)>& body) {
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(context, body(context), [&](std::exception_ptr ended) { failure = ended; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

/// Tells when the frame that holds it is gone.
struct Flagged {
  std::atomic<bool>& gone;
  ~Flagged() { gone = true; }
};

}  // namespace

TEST_CASE("a cancelled caller waits for its work on the other thread, and only then unwinds") {
  auto worker = sandbox::WorkerThread::start("worker", [] { return Result<>(); });
  REQUIRE(worker.has_value());
  std::atomic<bool> working = false, may_end = false, caller_gone = false;
  bool gone_while_working = true, went_on = false;
  auto caller = [&]() -> Task<> {
    Flagged frame{caller_gone};
    const int result = co_await (*worker)->run([&] {
      working = true;
      working.notify_all();
      may_end.wait(false);
      gone_while_working = caller_gone;
      return 7;
    });
    CHECK(result == 7);
    co_await sleep_for(1h);
    went_on = true;
  };
  run_on_main([&](asio::io_context& context) -> Task<> {
    TaskGroup tasks(context.get_executor());
    tasks.spawn("caller", caller());
    co_await sleep_for(0ms);
    working.wait(false);
    tasks.cancel();
    co_await sleep_for(1ms);
    CHECK_FALSE(caller_gone);
    may_end = true;
    may_end.notify_all();
    co_await tasks.wait();
  });
  CHECK(caller_gone);
  CHECK_FALSE(gone_while_working);
  CHECK_FALSE(went_on);
}

TEST_CASE("a caller may be cancelled at any moment of its work on the other thread") {
  auto worker = sandbox::WorkerThread::start("worker", [] { return Result<>(); });
  REQUIRE(worker.has_value());
  auto caller = [&](int rounds, int& done) -> Task<> {
    for (int round = 0; round < rounds; ++round) {
      const std::string result = co_await (*worker)->run([] { return std::string(100, 'x'); });
      if (result.size() == 100) ++done;
    }
  };
  int done = 0;
  run_on_main([&](asio::io_context& context) -> Task<> {
    for (int round = 0; round < 3000; ++round) {
      TaskGroup tasks(context.get_executor());
      for (int n = 0; n < 3; ++n) tasks.spawn("caller", caller(5, done));
      for (int turn = 0; turn < round % 12; ++turn) co_await asio::post(context, use_task);
      tasks.cancel();
      co_await tasks.wait();
    }
  });
  CHECK(done > 0);
}
