#pragma once

#include <chrono>

#include "proxy/h2/connection.hpp"
#include "proxy/io/socket.hpp"

namespace flylocal::proxy {
class UpstreamPool;
}

namespace flylocal::proxy::h2 {

/// An HTTP/2 connection to a machine, in plain text with prior knowledge (RFC 9113 3.3), whose streams requests take
/// turns to use. Looks after itself, and leaves the pool when it has ended.
class MachineConnection final : private Turn, private Connection {
 public:
  struct Limits {
    std::chrono::milliseconds connect;  ///< for the TCP connection, and again for the machine's SETTINGS
    std::chrono::milliseconds idle;
  };

  /// `shared`: for more than one request (platform.md 4.6).
  MachineConnection(Poller& poller, BufferPool& buffers, UpstreamPool& pool, const asio::ip::tcp::endpoint& machine,
                    Limits limits, bool shared);
  ~MachineConnection() override;

  /// Takes a socket whose connect(2) has begun.
  void adopt(UniqueFd socket);
  /// There is room for another stream, as far as the machine has said.
  bool takes_streams() const;
  /// Asks the kernel whether the machine has already closed.
  bool closed_by_machine() const;
  /// A channel on which one request goes to the machine and its answer comes back. Writable once connected.
  std::unique_ptr<StreamChannel> open(Turn& owner);
  /// No further streams; ends with the last one.
  void retire();
  const asio::ip::tcp::endpoint& machine() const { return machine_; }
  using Connection::poller;

 private:
  void take_turn() override;
  bool finish_connecting();
  bool look_at_clock();
  void set_idle(bool idle);
  bool may_connect_websockets() const;
  void send_held_heads();

  void on_head(Stream& stream, const HeadText& head, bool ends) override;
  bool submit_head(Stream& stream, std::string_view head) override;
  void after_write(Stream& stream) override;
  void on_channel_closed(Stream& stream) override;
  void on_stream_closed(Stream& stream, std::uint32_t error) override;

  UpstreamPool& pool_;
  asio::ip::tcp::endpoint machine_;
  Limits limits_;
  Socket socket_;
  Deadline deadline_;
  int error_ = 0;
  bool shared_;
  bool connected_ = false;
  bool greeted_ = false;  ///< the machine's SETTINGS came
  bool retired_ = false;
  bool is_idle_ = false;
};

}  // namespace flylocal::proxy::h2
