#include <fcntl.h>
#include <fmt/format.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

#include "flylocal/api/console_frames.hpp"
#include "flylocal/api/routes.hpp"
#include "flylocal/sandbox/visitor.hpp"

namespace flylocal::api {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using sandbox::Sandbox;

constexpr auto kDialLimit = 5s;
// A machine's last process to go is its init, which the kernel lets wait for all others.
constexpr auto kInitPatience = 200ms;

// ---- console ------------------------------------------------------------------------------------------------

/// Both ends of what connects a visitor's stdio with us.
struct ConsoleEnds {
  UniqueFd inside_in, inside_out, inside_err;
  UniqueFd in, out, err;  // ours; with a terminal `in` and `out` are its master and there is no `err`
};

Result<ConsoleEnds> open_terminal(unsigned short rows, unsigned short columns) {
  int master = -1, slave = -1;
  winsize size{rows, columns, 0, 0};
  if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) return system_error("open a terminal", errno);
  ConsoleEnds ends;
  ends.in.reset(master);
  ends.inside_in.reset(slave);
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  ends.out.reset(::fcntl(master, F_DUPFD_CLOEXEC, 3));
  ends.inside_out.reset(::fcntl(slave, F_DUPFD_CLOEXEC, 3));
  ends.inside_err.reset(::fcntl(slave, F_DUPFD_CLOEXEC, 3));
  return ends;
}

Result<ConsoleEnds> open_pipes() {
  int in[2], out[2], err[2];
  ConsoleEnds ends;
  if (::pipe2(in, O_CLOEXEC) != 0) return system_error("pipe2", errno);
  ends.inside_in.reset(in[0]);
  ends.in.reset(in[1]);
  if (::pipe2(out, O_CLOEXEC) != 0) return system_error("pipe2", errno);
  ends.out.reset(out[0]);
  ends.inside_out.reset(out[1]);
  if (::pipe2(err, O_CLOEXEC) != 0) return system_error("pipe2", errno);
  ends.err.reset(err[0]);
  ends.inside_err.reset(err[1]);
  return ends;
}

Task<> copy_output(Descriptor& from, FrameType type, Stream& stream) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    // EIO is a terminal's end: nobody holds its other side any more.
    auto [error, n] = co_await from.async_read_some(asio::buffer(buffer), as_result);
    if (error) co_return;
    const bool written = co_await stream.write(encode_frame(type, {buffer.data(), n}));
    if (!written) co_return;
  }
}

/// Feeds the visitor until the client is gone; the end of input alone does not end it.
Task<> copy_input(Stream& stream, std::optional<Descriptor>& to) {
  FrameReader frames;
  for (;;) {
    std::string bytes = co_await stream.read();
    if (bytes.empty()) co_return;
    frames.feed(bytes);
    while (auto frame = frames.next()) {
      if (frame->type == FrameType::kInputEnd) to.reset();
      if (!to) continue;
      if (frame->type == FrameType::kInput)
        co_await asio::async_write(*to, asio::buffer(frame->payload), as_result);
      if (frame->type == FrameType::kResize && frame->payload.size() == 4) {
        winsize size{static_cast<unsigned short>(decode_number(std::string_view(frame->payload).substr(0, 2))),
                     static_cast<unsigned short>(decode_number(std::string_view(frame->payload).substr(2))), 0, 0};
        ::ioctl(to->native_handle(), TIOCSWINSZ, &size);
      }
    }
    if (frames.broken()) co_return;
  }
}

/// Whether a visitor went with its whole machine, whose processes are all killed then.
Task<bool> ended_with_machine(int exit_code, UniqueFd guest) {
  if (exit_code != 128 + SIGKILL) co_return false;
  const Executor executor = co_await asio::this_coro::executor;
  Descriptor init(executor, guest.release());
  Timer limit(executor, kInitPatience);
  auto ended = co_await (init.async_wait(Descriptor::wait_read, as_result) || limit.async_wait(as_result));
  co_return ended.index() == 0;
}

Task<> console(Sandbox& sandbox, const Request& request, Stream& stream) {
  auto machine = sandbox.find_machine(request.params.at("id"));
  auto body = request.json_body();
  auto refuse = [&](unsigned status, std::string text) {
    return stream.refuse(Reply::error(status, std::move(text)));
  };
  if (!machine) co_return co_await refuse(404, "no machine " + request.params.at("id"));
  if (!machine->is_started() || !machine->guest())
    co_return co_await refuse(412, fmt::format("machine {} is {}, not started", machine->id(), name(machine->state())));
  if (!body) co_return co_await refuse(400, body.error().message);
  auto number = [&](const char* key, unsigned short otherwise) {
    const json::value* value = body->if_contains(key);
    return value && value->is_int64() ? static_cast<unsigned short>(value->get_int64()) : otherwise;
  };
  const bool terminal = body->contains("terminal") && body->at("terminal").is_string();
  std::vector<std::string> argv;
  if (const json::value* words = body->if_contains("command"); words && words->is_array())
    for (const json::value& word : words->get_array())
      if (word.is_string()) argv.emplace_back(word.get_string());
  if (argv.empty()) argv = {::access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh"};

  auto ends = terminal ? open_terminal(number("rows", 24), number("columns", 80)) : open_pipes();
  if (!ends) co_return co_await refuse(500, ends.error().message);
  const auto program = sandbox::visitor_program(*machine, argv, terminal ? std::string(body->at("terminal").get_string()) : std::string());
  UniqueFd guest(::fcntl(machine->guest()->pidfd(), F_DUPFD_CLOEXEC, 3));
  auto visitor = co_await sandbox.backbone_thread().run([&] {
    return netns::GuestVisitor::start(guest.get(), program,
                                      {ends->inside_in.get(), ends->inside_out.get(), ends->inside_err.get(), terminal});
  });
  ends->inside_in.reset();
  ends->inside_out.reset();
  ends->inside_err.reset();
  if (!visitor) {
    // As shells do: 127 for a command that is not there, 126 for one that cannot be executed.
    const bool missing = visitor.error().code == std::errc::no_such_file_or_directory;
    const std::string text = encode_frame(FrameType::kError, "Error: " + visitor.error().message + (missing ? " (a shell's own words need: -C 'sh -c \"...\"')\n" : "\n")) +
                             encode_frame(FrameType::kExit, encode_number(missing ? 127 : 126));
    const bool told = co_await stream.accept();
    if (told) co_await stream.write(text);
    co_return;
  }
  const bool accepted = co_await stream.accept();
  if (!accepted) co_return;

  const Executor executor = co_await asio::this_coro::executor;
  std::optional<Descriptor> in(std::in_place, executor, ends->in.release());
  Descriptor out(executor, ends->out.release());
  Descriptor end(executor, ::fcntl(visitor->pidfd(), F_DUPFD_CLOEXEC, 3));
  auto until_end = [&]() -> Task<> {
    if (ends->err) {
      Descriptor err(executor, ends->err.release());
      co_await (copy_output(out, FrameType::kOutput, stream) && copy_output(err, FrameType::kError, stream));
    } else {
      co_await copy_output(out, FrameType::kOutput, stream);
    }
    co_await end.async_wait(Descriptor::wait_read, as_result);
  };
  auto finished = co_await (until_end() || copy_input(stream, in));
  if (finished.index() == 1) co_return;  // the client is gone; the visitor ends with this frame
  const int exit_code = visitor->exit_code();
  const bool with_machine = co_await ended_with_machine(exit_code, std::move(guest));
  const std::string farewell = with_machine ? encode_frame(FrameType::kError, fmt::format("{0}machine {1} stopped{0}", terminal ? "\r\n" : "\n", machine->id())) : "";
  co_await stream.write(farewell + encode_frame(FrameType::kExit, encode_number(static_cast<std::uint32_t>(exit_code))));
}

// ---- dial ---------------------------------------------------------------------------------------------------

Task<> pump_to_client(TcpSocket& from, Stream& stream) {
  std::vector<char> buffer(16 * 1024);
  for (;;) {
    auto [error, n] = co_await from.async_read_some(asio::buffer(buffer), as_result);
    if (error) co_return;
    const bool written = co_await stream.write({buffer.data(), n});
    if (!written) co_return;
  }
}

/// FIN is passed on and the other direction goes on.
Task<> pump_to_machine(Stream& stream, TcpSocket& to) {
  for (;;) {
    std::string bytes = co_await stream.read();
    if (bytes.empty()) break;
    auto [error, n] = co_await asio::async_write(to, asio::buffer(bytes), as_result);
    if (error) break;
  }
  boost::system::error_code ignored;
  to.shutdown(TcpSocket::shutdown_send, ignored);
}

/// A 6PN connection to a machine, as `fly proxy` makes: from a peer on its network.
Task<> dial(Sandbox& sandbox, const Request& request, Stream& stream) {
  auto refuse = [&](unsigned status, std::string text) {
    return stream.refuse(Reply::error(status, std::move(text)));
  };
  auto machine = sandbox.find_machine(request.params.at("id"));
  if (!machine) co_return co_await refuse(404, "no machine " + request.params.at("id"));
  const unsigned long port = std::strtoul(request.params.at("port").c_str(), nullptr, 10);
  if (port < 1 || port > 65535) co_return co_await refuse(400, "port: allowed: 1 to 65535");
  if (!machine->is_started())
    co_return co_await refuse(412, fmt::format("machine {} is {}, not started", machine->id(), name(machine->state())));
  const asio::ip::tcp::endpoint target(machine->spec().address.six_pn, static_cast<std::uint16_t>(port));
  const auto& network = sandbox.network_of(*machine);
  auto fd = co_await sandbox.backbone_thread().run([&]() -> Result<UniqueFd> {
    auto visit = netns::NamespaceVisit::to(*network.peer);
    if (!visit) return visit.error();
    UniqueFd made(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return system_error("make a socket", errno);
    return made;
  });
  if (!fd) co_return co_await refuse(500, fd.error().message);
  const Executor executor = co_await asio::this_coro::executor;
  TcpSocket socket(executor, asio::ip::tcp::v6(), fd->release());
  Timer limit(executor, kDialLimit);
  auto connected = co_await (socket.async_connect(target, as_result) || limit.async_wait(as_result));
  const boost::system::error_code error = connected.index() == 1 ? boost::system::error_code(asio::error::timed_out) : std::get<0>(std::get<0>(connected));
  if (error)
    co_return co_await refuse(502, fmt::format("connect to [{}]:{}: {}", target.address().to_string(), target.port(), error.message()));
  const bool accepted = co_await stream.accept();
  if (!accepted) co_return;
  co_await (pump_to_client(socket, stream) && pump_to_machine(stream, socket));
}

}  // namespace

void add_stream_routes(ControlServer& server, Sandbox& sandbox) {
  server.stream("POST", "/flylocal/v1/machines/{id}/console",
                [&sandbox](const Request& request, Stream& stream) -> Task<> { co_await console(sandbox, request, stream); });
  server.stream("POST", "/flylocal/v1/machines/{id}/dial/{port}",
                [&sandbox](const Request& request, Stream& stream) -> Task<> { co_await dial(sandbox, request, stream); });
}

}  // namespace flylocal::api
