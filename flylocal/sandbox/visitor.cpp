#include "flylocal/sandbox/visitor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace flylocal::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr auto kOutputGrace = 200ms;

Task<> read_all(Descriptor& pipe, std::string& text) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    auto [error, n] = co_await pipe.async_read_some(asio::buffer(buffer), as_result);
    if (n > 0 && text.size() < kMaxOutputBytes) text.append(buffer.data(), std::min(n, kMaxOutputBytes - text.size()));
    if (error) co_return;
  }
}

}  // namespace

netns::GuestProgram visitor_program(const Machine& machine, std::vector<std::string> argv, const std::string& terminal) {
  netns::GuestProgram program = machine.spec().guest.program;
  program.argv = std::move(argv);
  program.path.clear();
  if (!terminal.empty()) program.env.push_back("TERM=" + terminal);
  return program;
}

Task<Result<CommandOutcome>> run_in_machine(Sandbox& sandbox, Machine& machine, std::vector<std::string> argv,
                                            std::chrono::milliseconds time_limit) {
  if (!machine.is_started() || !machine.guest()) co_return Error{fmt::format("machine {} is {}, not started", machine.id(), name(machine.state()))};
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0) co_return system_error("pipe2", errno);
  UniqueFd out_read(out[0]), out_write(out[1]);
  if (::pipe2(err, O_CLOEXEC) != 0) co_return system_error("pipe2", errno);
  UniqueFd err_read(err[0]), err_write(err[1]);
  UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const netns::GuestProgram program = visitor_program(machine, std::move(argv));
  // A descriptor of its own: the machine may stop, and forget its guest, while the other thread works.
  UniqueFd guest(::fcntl(machine.guest()->pidfd(), F_DUPFD_CLOEXEC, 3));
  auto visitor = co_await sandbox.backbone_thread().run([&] {
    return netns::GuestVisitor::start(guest.get(), program, {null.get(), out_write.get(), err_write.get(), false});
  });
  out_write.reset();
  err_write.reset();
  if (!visitor) co_return visitor.error();

  using namespace asio::experimental::awaitable_operators;
  const Executor executor = co_await asio::this_coro::executor;
  CommandOutcome outcome;
  Descriptor out_pipe(executor, out_read.release()), err_pipe(executor, err_read.release());
  Descriptor end(executor, ::fcntl(visitor->pidfd(), F_DUPFD_CLOEXEC, 3));
  Timer limit(executor, time_limit);
  // What a command leaves running in the background may hold its output open for ever.
  auto ended = [&]() -> Task<> {
    Descriptor same_end(executor, ::fcntl(visitor->pidfd(), F_DUPFD_CLOEXEC, 3));
    co_await same_end.async_wait(Descriptor::wait_read, as_result);
    co_await sleep_for(kOutputGrace);
  };
  auto finished = co_await ((read_all(out_pipe, outcome.output) && read_all(err_pipe, outcome.error_output) &&
                             end.async_wait(Descriptor::wait_read, as_result)) ||
                            limit.async_wait(as_result) || ended());
  if (finished.index() == 1) co_return Error{fmt::format("the command took longer than {} ms and was killed", time_limit.count())};
  outcome.exit_code = visitor->exit_code();
  co_return outcome;
}

}  // namespace flylocal::sandbox
