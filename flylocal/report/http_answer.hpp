#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flylocal/report/report.hpp"

namespace flylocal::report {

/// What a program did when it was sent an HTTP request.
struct HttpAnswer {
  enum class Kind {
    kAnswered,  ///< with an HTTP response; `status` and `location` are set
    kNotHttp,   ///< with something else; `words` has its beginning
    kTls,       ///< with a TLS record: it wants TLS
    kHttp2,     ///< with a frame of HTTP/2, or with the word that it speaks nothing else
    kClosed,    ///< not at all: it closed the connection or reset it
    kSilent,    ///< not at all in the time it had
    kNoConnection,
  } kind = Kind::kNoConnection;
  Reach reach = Reach::kUntried;  ///< of the connect
  int status = 0;
  std::string location;
  std::string words;  ///< the status line, or the first octets that can be printed
  std::string body;   ///< the beginning of the body where that may tell why: of 400, 403, 421, and of very short answers
};

/// The request to send. A header given here replaces none: Host comes from `host`.
struct HttpAsk {
  std::string method = "GET";
  std::string path = "/";
  std::string host;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// The statuses by which development servers and frameworks turn down a host that they do not know (bindcatalog section 4).
bool may_refuse_host(int status);

/// The octets of the request, with `Connection: close`.
std::string request_text(const HttpAsk& ask);

/// Understands what came back so far; nothing while more is needed to tell, which is never so of 16 KiB and more. `ended`:
/// nothing more will come. What announces an answer (RFC 9110 15.2: 1xx but 101) is none.
std::optional<HttpAnswer> read_answer(std::string_view octets, bool ended);

/// What a client begins with that knows that the server speaks HTTP/2: the preface and an empty SETTINGS frame (RFC 9113 3.4).
std::string http2_preface();

/// A PROXY protocol header, version 1, as Fly Proxy sends it (platform facts 4.2).
std::string proxy_protocol_header();

/// The first flight of a TLS handshake (RFC 8446 4.1.2): what a program that speaks TLS answers with a handshake record.
std::string tls_client_hello();
/// Whether `octets` begin with a TLS handshake record or alert (RFC 8446 5.1).
bool is_tls_handshake(std::string_view octets);

}  // namespace flylocal::report
