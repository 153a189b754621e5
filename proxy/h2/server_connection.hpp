#pragma once

#include "proxy/worker.hpp"
#include "proxy/h2/connection.hpp"

namespace flylocal::proxy::h2 {

/// What a client may have open at once.
inline constexpr std::uint32_t kMaxStreams = 250;

/// A client's HTTP/2 connection. Each of its streams is served by an HttpSession of its own, which stays for the next
/// one, so that a stream costs no coroutine.
class ServerConnection final : public Session, private Connection {
 public:
  ServerConnection(Worker& worker, Arrival arrival, std::unique_ptr<Channel> client);
  ~ServerConnection() override;

  /// `already_read`: what the client has sent so far. Ends when the connection does.
  Flow<> run(std::string_view already_read);

  bool client_left() override { return client().broken() || client().peer_ended(); }

 private:
  using Channels = boost::intrusive::list<StreamChannel, boost::intrusive::constant_time_size<false>>;

  bool must_stop() const { return worker_.phase == Worker::Phase::breaking_off; }
  bool look_at_clock();
  Flow<> linger();

  void on_head(Stream& stream, const HeadText& head, bool ends) override;
  bool submit_head(Stream& stream, std::string_view head) override;
  void after_write(Stream& stream) override;
  void on_channel_closed(Stream& stream) override;
  void on_stream_closed(Stream& stream, std::uint32_t error) override;
  void serve(Stream& stream);
  void end_idle_channels();

  Worker& worker_;
  Channels idle_;  ///< their sessions wait for the next stream
  bool is_idle_ = false;
  bool said_goodbye_ = false;
};

}  // namespace flylocal::proxy::h2

namespace flylocal::proxy {

/// Serves a client that speaks HTTP/2, by ALPN or with prior knowledge (RFC 9113 3.2 and 3.3). `already_read` begins
/// with the client's preface, or is empty; it is used up before the first wait.
Flow<> serve_http2(Worker& worker, Arrival arrival, std::unique_ptr<Channel> client, std::string_view already_read);

}  // namespace flylocal::proxy
