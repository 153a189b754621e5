#pragma once

#include "proxy/compression.hpp"
#include "proxy/dial.hpp"
#include "proxy/error_page.hpp"
#include "proxy/forwarded_headers.hpp"
#include "proxy/relay.hpp"

namespace flylocal::proxy {

/// One client's HTTP/1.1 connection: its requests one after another, each passed on to a machine.
/// During an exchange both bodies move at once, so an answer may come, and end, before the request does.
class HttpSession final : public Session {
 public:
  HttpSession(Worker& worker, Arrival arrival, std::unique_ptr<Channel> client);

  enum class End {
    over,
    http2,  ///< the client speaks HTTP/2, with prior knowledge: hand_over() and already_read() are for its session
  };
  /// Ends when the connection does.
  Flow<End> run();
  std::string_view already_read() { return request_pump_.in().bytes(); }

  bool client_left() override;
  /// A WebSocket is told, between two frames.
  void on_machine_leaves(std::string_view machine_id) override;

 private:
  enum class HeadResult { complete, refused, ended, http2 };
  /// How an exchange with a machine goes on or ended.
  enum class Step {
    wait,
    yield,
    done,        ///< the answer has been passed on
    retry,       ///< nothing came back, and the request may be sent again
    no_answer,   ///< 502 or 400: page_ says why
    broken_off,  ///< the client has left, or can only be told by closing
  };
  enum class After { keep, close, drop };

  /// The request being served.
  struct Request {
    RequestId id;
    Clock::time_point arrived;
    std::chrono::system_clock::time_point at;  ///< the same moment on the wall
    std::uint32_t method_size = 0;  // method, target and host are read from the head as it was passed on
    std::uint32_t target_size = 0;
    std::uint32_t host_size = 0;
    std::uint32_t retries = 0;
    std::uint32_t repeats = 0;                 ///< of the retries: after a machine that had taken it
    std::string edge_region;                   ///< asked for with the request
    std::vector<std::string> broken_machines;  ///< took this request and gave no answer
    http1::Version version = http1::Version::http11;
    PageFormat page_format = PageFormat::text;
    bool keep_alive = false;
    bool is_head = false;
    bool is_idempotent = false;
    bool has_body = false;
    bool wants_upgrade = false;
    Coding coding = Coding::identity;            ///< what the answer may be compressed with
    std::optional<std::uint16_t> https_port;     ///< the request has to come again there, with TLS
    bool open = false;  ///< there is more of it to pass on
    bool cut = false;   ///< the machine stopped taking it
    bool awaits_fate = false;  ///< whether the machine's kernel dropped it is still to come
  };
  /// The answer to it, so far.
  struct Answer {
    Clock::time_point connected;
    Clock::time_point first_byte;
    std::size_t searched = 0;    ///< bytes of the head that were looked at
    std::uint16_t status = 0;    ///< 0 until its head was understood
    bool seen = false;           ///< bytes came back
    bool keeps_machine = false;  ///< the machine's connection can serve another request
    bool keeps_client = false;   ///< what the client was told
    bool ends_with_connection = false;
    bool upgraded = false;
    bool complete = false;  ///< all of it has been passed on, or the proxy answers by itself
  };

  Flow<HeadResult> read_head();
  Flow<After> serve();
  Flow<Step> exchange();
  Flow<After> answer_with(const ErrorPage& page);
  Flow<> linger();

  void prepare_request(const http1::RequestHead& head);
  HeadResult refuse(const http1::HeadError& error);
  std::string_view edge_region(const PublishedPort* port) const;
  void apply_early_options(const PublishedPort& port, const http1::RequestHead& head);
  ErrorPage page_for_https() const;
  AnswerFacts answer_facts() const;
  bool may_repeat() const;
  bool is_whole() const;
  bool must_stop() const { return worker_.phase == Worker::Phase::breaking_off; }

  Step step();
  Step step_request();
  std::optional<Step> step_answer_head();
  std::optional<Step> take_answer_head(std::string_view bytes);
  void begin_answer(const http1::ResponseHead& head);
  void pass_interim(const http1::ResponseHead& head);
  Step step_answer_body();
  Step step_upgraded();
  Step on_machine_ended(std::string_view how);
  bool may_send_again(std::string_view how);
  Step no_answer(std::string_view what);
  bool begin_compression(const http1::ResponseHead& head, http1::BodyScanner scanner, AnswerFacts& facts);
  Step on_idle(std::chrono::milliseconds limit);

  void finish_exchange();
  void record(std::string_view error);

  std::string_view method() const {
    return std::string_view(request_pump_.prefix()).substr(0, request_.method_size);
  }
  std::string_view target() const;
  std::string_view host() const;

  Worker& worker_;
  std::string client_ip_;
  std::string dialled_ip_;
  std::chrono::milliseconds head_limit_;
  Pump request_pump_;
  Pump answer_pump_;
  std::unique_ptr<CompressedBody> compression_;  ///< stands in for answer_pump_.run(); null for most answers
  std::unique_ptr<WebSocketFrames> frames_;      ///< of the machine, to a WebSocket's client; null for everything else
  bool owes_farewell_ = false;                   ///< the client of a WebSocket has to be told that its machine leaves
  Relay relay_;
  Request request_;
  Answer answer_;
  Dialled machine_;
  ErrorPage page_;
  bool served_any_ = false;
};

}  // namespace flylocal::proxy
