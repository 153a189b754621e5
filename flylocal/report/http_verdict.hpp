#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flylocal/config/app_config.hpp"
#include "flylocal/report/http_answer.hpp"
#include "flylocal/report/tcp_verdict.hpp"

namespace flylocal::report {

/// What is known of a port that can be connected to, from asking it as Fly Proxy would. What was not tried is empty.
struct HttpEvidence {
  std::string host;                          ///< of `asked`
  HttpAnswer asked;                          ///< in plain HTTP/1.1, for `host`
  bool http1 = true;                         ///< whether Fly Proxy asks in HTTP/1.1; otherwise `asked` only explains `http2`
  std::optional<HttpAnswer> http2;           ///< to the preface of HTTP/2, where Fly Proxy speaks that
  std::string other_host = "localhost";      ///< of `for_localhost`
  std::optional<HttpAnswer> for_localhost;   ///< the same for a host that is accepted more often
  std::optional<bool> takes_tls;             ///< whether it answers a TLS client with TLS
  std::optional<HttpAnswer> with_proxy_line; ///< behind a PROXY protocol header
  std::uint32_t waiting = 0;                 ///< connections that the program has not accepted
  std::vector<std::string> said;             ///< lines of the program's output, oldest first
};

/// Whether the program answered all that Fly Proxy would ask, and without an error of its own.
bool has_answered(const HttpEvidence& evidence);

/// What a port does that can be connected to: kOk with what it answered, or why Fly Proxy would be no use in front of it.
Verdict judge_http(const HttpEvidence& evidence);

/// What greets every client, where that is a refusal of this one: Redis in protected mode, MariaDB's host table. A sentence.
std::optional<std::string> refusal_in_greeting(std::string_view greeting);

/// A service whose `proxy_proto` handler sends a header: `plain` is the answer without, `with_line` with it.
std::optional<Verdict> judge_proxy_protocol(const HttpAnswer& plain, const HttpAnswer& with_line);

/// A check that was made as fly.toml has it: 2xx passes, redirects are not followed (platform facts 4.7).
Verdict judge_http_check(const HttpAnswer& answer, const config::CheckRequest& request, std::chrono::milliseconds time_limit);

}  // namespace flylocal::report
