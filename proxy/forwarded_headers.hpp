#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/request_id.hpp"
#include "proxy/routing.hpp"

/// The heads that leave the proxy: the received one without what concerns one hop only and without what
/// only the proxy may say, followed by the proxy's own fields (platform.md 4.4 and 4.5).
namespace flylocal::proxy {

/// What the proxy knows of the connection that a request came on.
struct ClientFacts {
  std::string_view client_ip;
  std::string_view dialled_ip;  ///< the app's address that the client connected to
  std::uint16_t external_port = 0;
  std::string_view edge_region;
  bool secure = false;  ///< over TLS that the proxy ended
  bool http2 = false;
};

/// Identifies one request.
struct RequestFacts {
  std::string_view request_id;
  std::chrono::system_clock::time_point arrived;
  std::uint64_t trace_id[2];
  std::uint64_t span_id;
};

/// Appends the head for the machine. Its first line is the request's own, the second one Host.
void append_request_head(std::string& out, const http1::RequestHead& head, const ClientFacts& client,
                         const RequestFacts& request);

/// How the answer's body is delimited for the client.
enum class AnswerFraming {
  none,            ///< no body, and no field that speaks of one
  content_length,  ///< by Content-Length, as received
  chunked,
  until_close,
};

/// What the client is told of its connection.
enum class ConnectionNote {
  none,  ///< stays open, as is usual in HTTP/1.1
  keep_alive,
  close,
  upgrade,
};

/// What the proxy adds to an answer, or changes in it.
struct AnswerFacts {
  std::string_view server;
  std::string_view request_id;
  bool http2 = false;                   ///< of the client
  const HttpOptions* options = nullptr; ///< of the app; null: none are set
  std::string_view coding = {};         ///< what the proxy compresses the body with; empty: nothing
  bool varies = false;                  ///< another Accept-Encoding may get another coding
};

/// Appends the head for the client. The app's rules for fields (platform.md 4.3) also take away what the proxy adds;
/// they cannot touch what frames the answer, and do not concern interim answers.
void append_response_head(std::string& out, const http1::ResponseHead& head, AnswerFraming framing,
                          ConnectionNote connection, const AnswerFacts& facts);

/// The fields that every answer gets, also the proxy's own ones.
void append_proxy_fields(std::string& out, const AnswerFacts& facts);

}  // namespace flylocal::proxy
