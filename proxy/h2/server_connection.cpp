#include "proxy/h2/server_connection.hpp"

#include "proxy/h2/answer_head.hpp"
#include "proxy/http_session.hpp"

namespace flylocal::proxy {
namespace h2 {
namespace {

using namespace std::chrono_literals;

// After the last answer: closing with unread bytes would reset it under the client's eyes.
constexpr auto kLingerLimit = 1s;
constexpr std::size_t kLingerBytes = 1024 * 1024;

/// RFC 9112 6.3, for an answer of our own core.
http1::BodyScanner scanner_for(const AnswerHead& head, bool to_head_request) {
  using http1::BodyScanner;
  if (to_head_request || head.status == 204 || head.status == 304) return BodyScanner::none();
  if (head.chunked) return BodyScanner::chunked();
  if (head.content_length) return BodyScanner::length(*head.content_length);
  return BodyScanner::until_close();
}

Flow<> serve_stream(Worker& worker, Arrival arrival, std::unique_ptr<Channel> channel) {
  HttpSession session(worker, std::move(arrival), std::move(channel));
  worker.sessions.push_back(session);
  co_await session.run();
}

}  // namespace

ServerConnection::ServerConnection(Worker& worker, Arrival how, std::unique_ptr<Channel> channel)
    : Session(*worker.poller, std::move(how), std::move(channel)),
      Connection(*worker.poller, worker.buffers, wakeup, Role::server),
      worker_(worker) {
  submit_settings({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
                   {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kStreamWindow)},
                   {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(kMaxHeaderList)},
                   {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
                   {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}});
}

ServerConnection::~ServerConnection() {
  end_idle_channels();
  abandon();
}

Flow<> ServerConnection::run(std::string_view already_read) {
  bool going_on = already_read.empty() || feed(already_read);
  while (going_on && !must_stop()) {
    if (worker_.phase != Worker::Phase::serving && !std::exchange(said_goodbye_, true)) submit_goaway();
    going_on = advance(client()) && look_at_clock();
    if (going_on) co_await wakeup.wait();
  }
  end_idle_channels();
  abandon();
  if (!must_stop()) co_await linger();
}

/// False: nothing was asked for too long.
bool ServerConnection::look_at_clock() {
  if (stream_count() > 0) {
    if (std::exchange(is_idle_, false)) deadline.clear();
    return true;
  }
  if (!std::exchange(is_idle_, true)) deadline.set_after(worker_.options.keep_alive_limit);
  if (!deadline.passed()) return true;
  if (!std::exchange(said_goodbye_, true)) submit_goaway();
  advance(client());
  return false;
}

Flow<> ServerConnection::linger() {
  if (client_left()) co_return;
  client().shutdown_write();
  deadline.set_after(kLingerLimit);
  Buffer in(worker_.buffers);
  for (std::size_t dropped = 0; dropped < kLingerBytes;) {
    Transfer got = client().read(in.space());
    in.clear();
    dropped += got.bytes;
    if (got.status == Transfer::Status::moved) continue;
    if (got.status != Transfer::Status::blocked) break;
    co_await wakeup.wait();
    if (must_stop() || deadline.passed()) break;
  }
}

void ServerConnection::on_head(Stream& stream, const HeadText& head, bool ends) {
  if (stream.in_begun_) {
    // Trailers. A body of known length has no place for them in HTTP/1.1.
    if (stream.in_framing_ == Framing::chunked && stream.channel_) {
      head.append_trailers(stream.in_);
      stream.in_framing_ = Framing::none;
    }
    stream.end_input();
    return;
  }
  stream.in_begun_ = true;
  stream.is_head_request_ = head.is_head_request();
  stream.may_upgrade_ = head.is_extended_connect();
  if (head.is_too_large()) {
    count(worker_.stats.bad_requests);
    stream.in_ended_ = ends;
    stream.out_state_ = Stream::Out::ended;
    nghttp2_nv status = field(":status", "431");
    nghttp2_submit_response(session(), stream.id_, &status, 1, nullptr);
    return;
  }
  if (!head.append_request(stream.in_, ends, worker_.random, stream.in_framing_)) {
    count(worker_.stats.bad_requests);
    stream.in_ended_ = true;
    send_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  // Before the upgrade, its bytes could be taken for another request.
  if (stream.in_framing_ == Framing::raw) stream.held_from_ = stream.in_.size();
  if (ends) stream.in_ended_ = true;
  serve(stream);
}

/// Gives the stream to a session that waits for one, or to a new one.
void ServerConnection::serve(Stream& stream) {
  if (!idle_.empty()) {
    StreamChannel& channel = idle_.back();
    idle_.pop_back();
    bind(stream, channel, true);
    stream.note_readable();
    return;
  }
  auto channel = std::make_unique<StreamChannel>(*worker_.poller, wakeup);
  bind(stream, *channel, true);
  stream.note_readable();
  Arrival how = arrival;
  how.http2 = true;
  worker_.flows.start(serve_stream(worker_, std::move(how), std::move(channel)));
}

bool ServerConnection::submit_head(Stream& stream, std::string_view bytes) {
  // The memory is used within this call only.
  thread_local AnswerHead head;
  if (!head.read(bytes)) return false;
  bool upgraded = head.status == 101;
  if (upgraded && !stream.may_upgrade_) return false;
  if (head.status < 200 && !upgraded) {
    return nghttp2_submit_headers(session(), NGHTTP2_FLAG_NONE, stream.id_, nullptr, head.fields.data(),
                                  head.fields.size(), nullptr) == 0;
  }
  stream.tells_close_ = head.connection_close;
  stream.scanner_ = upgraded ? http1::BodyScanner::until_close() : scanner_for(head, stream.is_head_request_);
  stream.out_state_ = stream.scanner_.ended() ? Stream::Out::ended : Stream::Out::body;
  if (upgraded) {
    stream.held_from_ = Stream::kNothingHeld;
    if (stream.has_visible() || stream.in_ended_) stream.note_readable();
  }
  nghttp2_data_provider body = body_of(stream);
  bool ends = stream.out_state_ == Stream::Out::ended;
  return nghttp2_submit_response(session(), stream.id_, head.fields.data(), head.fields.size(), ends ? nullptr : &body) == 0;
}

void ServerConnection::after_write(Stream& stream) {
  resume(stream);
  // The other protocol's both directions end by themselves.
  if (stream.out_state_ != Stream::Out::ended) return;
  StreamChannel& channel = *stream.channel_;
  bool ends = stream.tells_close_;
  unbind(stream);
  if (ends) {
    channel.end();
  } else {
    idle_.push_back(channel);
  }
}

void ServerConnection::on_channel_closed(Stream& stream) {
  if (stream.closed_) {
    release(stream);
    return;
  }
  // An answer that is not complete; a session that has not read anything has not done anything either.
  bool untouched = !stream.read_from_ && stream.out_state_ == Stream::Out::head;
  bool complete = stream.out_state_ == Stream::Out::ended && stream.in_ended_;
  if (!complete) send_reset(stream, untouched ? NGHTTP2_REFUSED_STREAM : NGHTTP2_INTERNAL_ERROR);
}

void ServerConnection::on_stream_closed(Stream& stream, std::uint32_t) {
  bool complete = stream.out_state_ == Stream::Out::ended && stream.in_ended_;
  if (!complete) fail(stream);
}

void ServerConnection::end_idle_channels() {
  while (!idle_.empty()) {
    StreamChannel& channel = idle_.back();
    idle_.pop_back();
    channel.end();
  }
}

}  // namespace h2

Flow<> serve_http2(Worker& worker, Arrival arrival, std::unique_ptr<Channel> client, std::string_view already_read) {
  h2::ServerConnection session(worker, std::move(arrival), std::move(client));
  worker.sessions.push_back(session);
  co_await session.run(already_read);
}

}  // namespace flylocal::proxy
