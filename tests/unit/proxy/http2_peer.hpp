#pragma once

#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "proxy_world.hpp"

/// One end of an HTTP/2 connection on a blocking socket: a client, or an app in a machine.
namespace flylocal::proxy::test {

using FieldList = std::vector<std::pair<std::string, std::string>>;

class Http2Peer {
 public:
  enum class Side { client, server };

  struct Message {
    FieldList fields;  ///< of the final head
    FieldList trailers;
    std::vector<std::string> interim;  ///< the statuses of the heads before it
    std::string body;
    bool begun = false;
    bool ended = false;   ///< END_STREAM came
    bool closed = false;  ///< the stream is over
    std::uint32_t error = 0;

    std::string field(std::string_view name) const { return find(fields, name); }
    std::string trailer(std::string_view name) const { return find(trailers, name); }

   private:
    static std::string find(const FieldList& list, std::string_view name) {
      std::string all;
      for (const auto& [key, value] : list) {
        if (key == name) all += (all.empty() ? "" : " | ") + value;
      }
      return all;
    }
  };

  /// `reads` false: the other end may fill the windows, and is never told that more is welcome.
  explicit Http2Peer(const UniqueFd& socket, Side side, bool reads = true, std::uint32_t max_streams = 100,
                     bool takes_websockets = false)
      : socket_(socket.get()), side_(side) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    // The proxy's limit is to be found, not this end's own.
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    if (!reads) nghttp2_option_set_no_auto_window_update(option, 1);
    auto make = side == Side::client ? nghttp2_session_client_new2 : nghttp2_session_server_new2;
    make(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams},
                                               {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, takes_websockets}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, side == Side::server ? 2 : 1);
  }
  ~Http2Peer() { nghttp2_session_del(session_); }
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  /// A request whose body is what send() says, or none.
  std::int32_t request(FieldList fields, bool has_body = false) {
    auto list = as_nv(fields);
    nghttp2_data_provider body = provider();
    return nghttp2_submit_request(session_, nullptr, list.data(), list.size(), has_body ? &body : nullptr, nullptr);
  }
  std::int32_t get(std::string path, FieldList more = {}) { return request(get_fields("GET", std::move(path), more)); }
  static FieldList get_fields(std::string method, std::string path, FieldList more = {}) {
    FieldList fields = {{":method", std::move(method)}, {":scheme", "http"}, {":authority", "hello.localhost"},
                        {":path", std::move(path)}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  void answer(std::int32_t id, FieldList fields, bool has_body = true) {
    auto list = as_nv(fields);
    nghttp2_data_provider body = provider();
    nghttp2_submit_response(session_, id, list.data(), list.size(), has_body ? &body : nullptr);
  }
  void interim(std::int32_t id, FieldList fields) {
    auto list = as_nv(fields);
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, list.data(), list.size(), nullptr);
  }
  /// More of the body; `ends`: it is the last, and `trailers` follow.
  void send(std::int32_t id, std::string_view bytes, bool ends, FieldList trailers = {}) {
    Outgoing& out = outgoing_[id];
    out.bytes += bytes;
    out.ended = ends;
    out.trailers = std::move(trailers);
    nghttp2_session_resume_data(session_, id);
  }
  void reset(std::int32_t id, std::uint32_t error) { nghttp2_submit_rst_stream(session_, 0, id, error); }
  void goaway(std::int32_t last) { nghttp2_submit_goaway(session_, 0, last, NGHTTP2_NO_ERROR, nullptr, 0); }

  /// Sends what there is and reads until `condition` holds. False: the connection ended, or nothing came for long.
  bool until(const std::function<bool()>& condition) {
    for (;;) {
      flush();
      if (condition()) return true;
      if (!read_some()) return condition();
    }
  }
  bool until_ended(std::int32_t id) {
    return until([&] { return messages[id].ended || messages[id].closed; });
  }
  void flush() {
    for (;;) {
      const std::uint8_t* bytes = nullptr;
      ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      if (size <= 0) return;
      write_raw({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
    }
  }
  void write_raw(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// The connection has ended, whatever came before.
  bool ended() {
    return !until([] { return false; }) && !timed_out;
  }

  std::map<std::int32_t, Message> messages;
  std::vector<std::int32_t> opened;  ///< a server's streams in the order they came
  bool said_goodbye = false;         ///< GOAWAY came
  std::uint32_t goodbye_error = 0;
  bool timed_out = false;
  std::map<std::int32_t, std::uint32_t> settings;

 private:
  struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    bool ended = false;
    FieldList trailers;
  };

  static std::vector<nghttp2_nv> as_nv(const FieldList& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), 0});
    }
    return list;
  }
  static nghttp2_data_provider provider() {
    nghttp2_data_provider made{};
    made.read_callback = read_body;
    return made;
  }
  static Http2Peer& of(void* user) { return *static_cast<Http2Peer*>(user); }

  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t limit,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Outgoing& out = of(user).outgoing_[id];
    std::size_t size = std::min(limit, out.bytes.size() - out.sent);
    if (size == 0 && !out.ended) return NGHTTP2_ERR_DEFERRED;
    std::copy_n(out.bytes.data() + out.sent, size, to);
    out.sent += size;
    if (out.ended && out.sent == out.bytes.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!out.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        auto list = as_nv(out.trailers);
        nghttp2_submit_trailer(session, id, list.data(), list.size());
      }
    }
    return static_cast<ssize_t>(size);
  }
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Peer& self = of(user);
    self.block_.clear();
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) self.opened.push_back(frame->hd.stream_id);
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    of(user).block_.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                                 std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Peer& self = of(user);
    Message& message = self.messages[frame->hd.stream_id];
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (message.begun) {
        message.trailers = self.block_;
      } else if (self.side_ == Side::client && self.block_.at(0).second.starts_with('1')) {
        message.interim.push_back(self.block_[0].second);
      } else {
        message.fields = self.block_;
        message.begun = true;
      }
    }
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.said_goodbye = true;
      self.goodbye_error = frame->goaway.error_code;
    }
    if (frame->hd.type == NGHTTP2_SETTINGS) {
      for (std::size_t i = 0; i < frame->settings.niv; ++i) {
        self.settings[frame->settings.iv[i].settings_id] = frame->settings.iv[i].value;
      }
    }
    bool can_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (can_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) message.ended = true;
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                     void* user) {
    of(user).messages[id].body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    of(user).messages[id].closed = true;
    of(user).messages[id].error = error;
    return 0;
  }

  bool read_some() {
    char bytes[65536];
    ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    timed_out = got < 0 && errno == EAGAIN;
    if (got <= 0) return false;
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes),
                                    static_cast<std::size_t>(got)) == got;
  }

  int socket_;
  Side side_;
  nghttp2_session* session_ = nullptr;
  FieldList block_;
  std::map<std::int32_t, Outgoing> outgoing_;
};

/// Holds the socket before the peer that uses it.
struct WireHolder {
  Wire wire;
};

/// A client of the proxy that speaks HTTP/2 with prior knowledge.
class Http2Client : private WireHolder, public Http2Peer {
 public:
  explicit Http2Client(const ProxyWorld& world, bool reads = true)
      : WireHolder{world.connect()}, Http2Peer(wire.socket(), Side::client, reads) {}
};

/// Plays an app that speaks HTTP/2: `serve` is called for each stream as soon as its head is there, and again
/// whenever more has come, until the connection ends.
inline FakeMachine::Script http2_app(std::function<void(Http2Peer&, std::int32_t id)> serve,
                                     std::uint32_t max_streams = 100, bool takes_websockets = false) {
  return [serve = std::move(serve), max_streams, takes_websockets](Wire& wire, int) {
    Http2Peer peer(wire.socket(), Http2Peer::Side::server, true, max_streams, takes_websockets);
    peer.until([&] {
      for (std::size_t i = 0; i < peer.opened.size(); ++i) {
        auto& message = peer.messages[peer.opened[i]];
        if (message.begun && !message.closed) serve(peer, peer.opened[i]);
      }
      peer.flush();
      return false;
    });
  };
}

}  // namespace flylocal::proxy::test
