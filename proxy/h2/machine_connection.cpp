#include "proxy/h2/machine_connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "proxy/http1/head.hpp"
#include "proxy/upstream_pool.hpp"
#include "proxy/websocket_accept.hpp"

namespace flylocal::proxy::h2 {
namespace {

using http1::FieldId;

// Until the machine says how many it takes (RFC 9113 6.5.2 recommends no fewer).
constexpr std::uint32_t kFirstStreams = 100;
// One connection's streams share one turn; more connections would share no more.
constexpr std::uint32_t kMostStreams = 250;

constexpr std::string_view kWebSocketKey = "sec-websocket-key";

bool passes(const http1::Field& request_field) {
  switch (request_field.id) {
    // RFC 9113 8.2.2 and 8.3.1: HTTP/2 says these in other ways. TE is said anew.
    case FieldId::connection:
    case FieldId::host:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return false;
    default:
      return !request_field.named_by_connection;
  }
}

http1::BodyScanner scanner_for(const http1::Fields& fields) {
  return fields.chunked ? http1::BodyScanner::chunked()
                        : http1::BodyScanner::length(fields.content_length.value_or(0));
}

}  // namespace

MachineConnection::MachineConnection(Poller& poller, BufferPool& buffers, UpstreamPool& pool,
                                     const asio::ip::tcp::endpoint& machine, Limits limits, bool shared)
    : Connection(poller, buffers, *this, Role::client),
      pool_(pool),
      machine_(machine),
      limits_(limits),
      socket_(poller, *this),
      deadline_(poller, *this),
      shared_(shared) {
  submit_settings({{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                   {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kStreamWindow)},
                   {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(kMaxHeaderList)}});
}

MachineConnection::~MachineConnection() {
  set_idle(false);
  abandon();
}

void MachineConnection::adopt(UniqueFd socket) {
  socket_.adopt(std::move(socket));
  deadline_.set_after(limits_.connect);
}

bool MachineConnection::takes_streams() const {
  if (!shared_ || retired_ || goaway_seen() || socket_.peer_ended() || socket_.broken()) return false;
  std::uint32_t limit = kFirstStreams;
  if (greeted_) limit = nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return stream_count() < std::min(limit, kMostStreams) && nghttp2_session_check_request_allowed(session());
}

bool MachineConnection::closed_by_machine() const {
  if (!connected_) return false;
  char byte;
  ssize_t got = ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

std::unique_ptr<StreamChannel> MachineConnection::open(Turn& owner) {
  auto channel = std::make_unique<StreamChannel>(poller(), owner);
  bind(open_stream(), *channel, connected_);
  set_idle(false);
  return channel;
}

void MachineConnection::retire() {
  retired_ = true;
  want_turn();
}

void MachineConnection::take_turn() {
  bool going_on = (connected_ || finish_connecting()) && (!connected_ || advance(socket_)) && look_at_clock();
  if (going_on) return;
  abandon();
  pool_.drop(*this);
}

/// False: the connection does not come about.
bool MachineConnection::finish_connecting() {
  if (!socket_.writable() && !socket_.broken()) {
    if (deadline_.passed()) error_ = ETIMEDOUT;
    return error_ == 0;
  }
  error_ = connect_result(socket_);
  if (error_ != 0) return false;
  connected_ = true;
  deadline_.set_after(limits_.connect);
  for (Stream& stream : streams()) {
    if (stream.channel_) set_writable(stream);
  }
  return true;
}

/// False: its time is over.
bool MachineConnection::look_at_clock() {
  if (!connected_) return true;
  if (!greeted_) {
    if (!settings_seen()) return !deadline_.passed();
    greeted_ = true;
    deadline_.clear();
    send_held_heads();
  }
  if (stream_count() > 0) {
    deadline_.clear();
    return true;
  }
  if (!shared_ || retired_ || goaway_seen()) return false;
  if (!is_idle_) {
    set_idle(true);
    deadline_.set_after(limits_.idle);
  }
  return !deadline_.passed();
}

void MachineConnection::set_idle(bool idle) {
  if (std::exchange(is_idle_, idle) != idle) pool_.count_idle(idle);
}

void MachineConnection::on_head(Stream& stream, const HeadText& head, bool ends) {
  if (head.is_too_large()) {
    fail(stream);
    send_reset(stream, NGHTTP2_CANCEL);
    return;
  }
  if (stream.in_begun_) {
    // Trailers. A body of known length has no place for them in HTTP/1.1.
    if (stream.in_framing_ == Framing::chunked) {
      head.append_trailers(stream.in_);
      stream.in_framing_ = Framing::none;
    }
    stream.end_input();
    return;
  }
  if (stream.upgrade_ && head.status() / 100 == 2) {
    head.append_upgrade(stream.in_, stream.upgrade_->accept);
    stream.in_framing_ = Framing::raw;
    stream.in_begun_ = true;
    stream.in_ended_ = ends;
    stream.note_readable();
    return;
  }
  bool interim = head.status() < 200;
  bool bodiless = interim || stream.is_head_request_ || head.status() == 204 || head.status() == 304;
  head.append_response(stream.in_, ends, bodiless, stream.in_framing_);
  stream.in_begun_ = !interim;
  stream.in_ended_ = ends;
  stream.note_readable();
}

bool MachineConnection::submit_head(Stream& stream, std::string_view bytes) {
  // The memory is used within this call only.
  thread_local http1::RequestHead head;
  thread_local std::vector<nghttp2_nv> fields;
  if (http1::parse_request_head(bytes, head)) return false;
  // RFC 6455 4.1: a GET; content would have no place before the WebSocket's.
  bool upgrades = head.wants_upgrade() && http1::equals_ignoring_case(head.fields.upgrade, "websocket") &&
                  head.method == "GET" && !head.has_body();
  if (upgrades && !settings_seen()) {
    stream.upgrade_ = std::make_unique<Stream::Upgrade>(Stream::Upgrade{.head = std::string(bytes), .accept = {}});
    stream.out_state_ = Stream::Out::body;
    return true;
  }
  upgrades = upgrades && may_connect_websockets();
  fields.clear();
  fields.push_back(field(":method", upgrades ? std::string_view("CONNECT") : head.method));
  if (upgrades) fields.push_back(field(":protocol", "websocket"));
  fields.push_back(field(":scheme", "http"));
  if (!head.host.empty()) fields.push_back(field(":authority", head.host));
  fields.push_back(field(":path", head.target));
  std::string_view key;
  for (const http1::Field& line : head.fields.list) {
    if (upgrades && http1::equals_ignoring_case(line.name, kWebSocketKey)) {
      key = line.value;
    } else if (passes(line) && !(upgrades && line.id == FieldId::content_length)) {
      fields.push_back(field(line.name, line.value, line.id != FieldId::fly_request_id));
    }
  }
  // The proxy passes trailers on, whoever asked; servers of gRPC want to be told.
  if (!upgrades) fields.push_back(field("te", "trailers"));
  stream.is_head_request_ = head.method == "HEAD";
  stream.upgrade_.reset();
  if (upgrades) stream.upgrade_ = std::make_unique<Stream::Upgrade>(Stream::Upgrade{.head = {}, .accept = websocket_accept(key)});
  stream.scanner_ = upgrades ? http1::BodyScanner::until_close() : scanner_for(head.fields);
  stream.out_state_ = stream.scanner_.ended() ? Stream::Out::ended : Stream::Out::body;
  nghttp2_data_provider body = body_of(stream);
  bool ends = stream.out_state_ == Stream::Out::ended;
  std::int32_t id =
      nghttp2_submit_request(session(), nullptr, fields.data(), fields.size(), ends ? nullptr : &body, &stream);
  stream.refused_ = id < 0;
  if (id > 0) stream.id_ = id;
  return id > 0;
}

/// RFC 8441 3
bool MachineConnection::may_connect_websockets() const {
  return nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

/// What the machine's settings decide on: they have come.
void MachineConnection::send_held_heads() {
  for (Stream& stream : streams()) {
    if (!stream.upgrade_ || stream.upgrade_->head.empty()) continue;
    const std::string head = std::move(stream.upgrade_->head);
    if (!submit_head(stream, head)) fail(stream);
    want_turn();
  }
}

void MachineConnection::after_write(Stream& stream) {
  resume(stream);
}

void MachineConnection::on_channel_closed(Stream& stream) {
  want_turn();
  if (stream.closed_ || stream.id_ == 0) {
    release(stream);
    return;
  }
  bool complete = stream.out_state_ == Stream::Out::ended && stream.in_ended_;
  if (!complete) send_reset(stream, NGHTTP2_CANCEL);
}

void MachineConnection::on_stream_closed(Stream& stream, std::uint32_t error) {
  if (stream.in_ended_) return;
  // A held head was never sent, and the machine has just said that it takes no more.
  const bool is_held = stream.id_ == 0 && stream.upgrade_ && settings_seen();
  stream.refused_ = error == NGHTTP2_REFUSED_STREAM || is_held;
  stream.not_http2_ = connected_ && !settings_seen();
  stream.error_ = error_;
  fail(stream);
}

}  // namespace flylocal::proxy::h2
