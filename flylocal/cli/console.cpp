#include "flylocal/cli/console.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>

#include "flylocal/api/console_frames.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"
#include "flylocal/launch/shell_words.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;
using api::FrameType;

/// The terminal in raw mode while it lives: every key goes to the machine.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) {
    if (!wanted || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    active_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }

 private:
  termios before_{};
  bool active_ = false;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

winsize terminal_size() {
  winsize size{24, 80, 0, 0};
  ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
  return size;
}

std::string resize_frame() {
  const winsize size = terminal_size();
  return api::encode_frame(FrameType::kResize, api::encode_number(static_cast<std::uint32_t>(size.ws_row) << 16 | size.ws_col));
}

/// A descriptor that becomes readable when the window's size changes.
UniqueFd resize_events() {
  sigset_t winch;
  sigemptyset(&winch);
  sigaddset(&winch, SIGWINCH);
  ::sigprocmask(SIG_BLOCK, &winch, nullptr);
  return UniqueFd(::signalfd(-1, &winch, SFD_CLOEXEC));
}

/// Carries bytes both ways until the machine reports the exit code. What the machine does not take yet waits here
/// while its output is read on: a command like `cat` takes no more input until it is rid of its output.
int converse(const UniqueFd& connection, bool terminal) {
  // The reader of our output may go away: the exit code is still the command's.
  ::signal(SIGPIPE, SIG_IGN);
  RawTerminal raw(terminal);
  UniqueFd resized = terminal ? resize_events() : UniqueFd();
  api::FrameReader frames;
  std::string unsent;
  bool input_open = true;
  for (;;) {
    pollfd waits[3] = {{connection.get(), static_cast<short>(unsent.empty() ? POLLIN : POLLIN | POLLOUT), 0},
                       {input_open && unsent.empty() ? STDIN_FILENO : -1, POLLIN, 0},
                       {resized.get(), POLLIN, 0}};
    if (::poll(waits, 3, -1) < 0 && errno != EINTR) return kCannotRun;
    char buffer[16 * 1024];
    if (waits[2].revents && ::read(resized.get(), buffer, sizeof buffer) > 0) unsent += resize_frame();
    if (waits[1].revents) {
      const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (n > 0) {
        unsent += api::encode_frame(FrameType::kInput, {buffer, static_cast<std::size_t>(n)});
      } else if (n == 0 || errno != EINTR) {
        input_open = false;
        unsent += api::encode_frame(FrameType::kInputEnd, {});
      }
    }
    if (!unsent.empty()) {
      const ssize_t n = ::send(connection.get(), unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) {
        unsent.erase(0, static_cast<std::size_t>(n));
      } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        unsent.clear();
        input_open = false;
      }
    }
    if ((waits[0].revents & ~POLLOUT) == 0) continue;
    const ssize_t n = ::read(connection.get(), buffer, sizeof buffer);
    if (n <= 0) return kCannotRun;
    frames.feed({buffer, static_cast<std::size_t>(n)});
    while (auto frame = frames.next()) {
      if (frame->type == FrameType::kOutput) write_all(STDOUT_FILENO, frame->payload);
      if (frame->type == FrameType::kError) write_all(STDERR_FILENO, frame->payload);
      if (frame->type == FrameType::kExit) return static_cast<int>(api::decode_number(frame->payload));
    }
    if (frames.broken()) return kCannotRun;
  }
}

json::array words_in_json(const std::vector<std::string>& words) {
  json::array array;
  for (const std::string& word : words) array.push_back(json::string(word));
  return array;
}

/// Opens the console of a machine with this request, and stays until its end.
int open_console(api::Client& client, const std::string& machine, const json::object& body, bool terminal) {
  auto connection = client.upgrade(fmt::format("/flylocal/v1/machines/{}/console", machine), body);
  if (!connection) {
    complain(connection.error().message);
    return kCannotRun;
  }
  return converse(*connection, terminal);
}

/// The sandbox, and the id of the machine that is meant.
std::optional<std::pair<api::Client, std::string>> connect_to_machine(const std::string& app, const std::string& machine) {
  auto client = connect_to_sandbox();
  if (!client) return std::nullopt;
  auto status = fetch_status(*client);
  if (!status) return std::nullopt;
  auto chosen = choose_machine(*status, app, machine);
  if (!chosen) return std::nullopt;
  return std::pair(std::move(*client), text_of(*chosen, "id"));
}

}  // namespace

int run_in_machine(const std::string& app, const std::vector<std::string>& words) {
  auto target = connect_to_machine(app, "");
  if (!target) return kCannotRun;
  return open_console(target->first, target->second, {{"command", words_in_json(words)}}, false);
}

int ssh_console(const ConsoleOptions& options) {
  auto target = connect_to_machine(options.app, options.machine);
  if (!target) return kCannotRun;
  json::object body;
  if (!options.command.empty()) {
    auto words = launch::split_shell_words(options.command);
    if (!words || words->empty()) {
      complain("-C: " + (words ? "the command is empty" : words.error().message));
      return kCannotRun;
    }
    body["command"] = words_in_json(*words);
  }
  const bool terminal = options.command.empty() && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  if (terminal) {
    const char* term = std::getenv("TERM");
    const winsize size = terminal_size();
    body["terminal"] = term && *term ? term : "xterm";
    body["rows"] = size.ws_row;
    body["columns"] = size.ws_col;
  }
  return open_console(target->first, target->second, body, terminal);
}

}  // namespace flylocal::cli
