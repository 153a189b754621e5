#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "flylocal/base/async.hpp"
#include "flylocal/report/http_answer.hpp"
#include "flylocal/report/report.hpp"
#include "flylocal/sandbox/worker_thread.hpp"
#include "netns/network_namespace.hpp"

namespace flylocal::report {

/// From where something is tried: a namespace of ours (null: the host's), with a source address there (unspecified: the
/// kernel's choice). What it refers to has to outlive every attempt.
struct Origin {
  sandbox::WorkerThread* thread = nullptr;
  const netns::NetworkNamespace* network_namespace = nullptr;
  asio::ip::address source;
};

/// Connects, and closes at once when that worked. Like all that is asked here over TCP it tries for two seconds to get
/// through to a listener without room.
Task<Reach> knock(const Origin& origin, asio::ip::tcp::endpoint target);

/// What a server says first, unasked, in `limit`; empty: nothing.
Task<std::string> greeting(const Origin& origin, asio::ip::tcp::endpoint target, std::chrono::milliseconds limit);

/// Sends `prefix` and the request, and reads as much of the answer as it takes to understand it; `limit` for all of it.
Task<HttpAnswer> ask_http(const Origin& origin, asio::ip::tcp::endpoint target, std::string prefix, HttpAsk ask, std::chrono::milliseconds limit);

/// Begins to speak HTTP/2 without TLS, as one that knows that the server does (RFC 9113 3.3), and closes after its first frame.
Task<HttpAnswer> ask_http2(const Origin& origin, asio::ip::tcp::endpoint target, std::chrono::milliseconds limit);

/// The same as ask_http() by TLS, without looking at the certificate (`verified` says whether a default store trusts it for `server_name`).
struct HttpsAnswer {
  HttpAnswer answer;
  bool handshake_done = false;
  bool verified = false;
};
Task<HttpsAnswer> ask_https(const Origin& origin, asio::ip::tcp::endpoint target, std::string server_name, HttpAsk ask,
                            std::chrono::milliseconds limit);

/// Whether the server answers a TLS client with TLS.
Task<bool> takes_tls(const Origin& origin, asio::ip::tcp::endpoint target);

/// The answer to a datagram.
struct UdpAnswer {
  bool sent = false;
  std::optional<asio::ip::udp::endpoint> source;  ///< where the answer came from; nothing when there was none
};

/// Sends up to three datagrams until one is answered, from whatever address.
Task<UdpAnswer> ask_udp(const Origin& origin, asio::ip::udp::endpoint target, std::string payload);

/// A datagram that a server of this kind of port answers: DNS on 53, STUN on 3478, NTP on 123, a line of text elsewhere.
std::string udp_payload(std::uint16_t port, bool is_dns_server);

}  // namespace flylocal::report
