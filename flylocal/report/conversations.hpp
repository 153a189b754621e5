#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "flylocal/report/expectations.hpp"
#include "flylocal/report/http_verdict.hpp"
#include "flylocal/report/probes.hpp"

/// What programs are asked, beyond whether they can be connected to. Each sends as little as tells.
namespace flylocal::report {

/// The request as another machine would send it.
HttpAsk request_of_machine(std::string host);

/// Asks for `host` as Fly Proxy would, in the versions of HTTP that are expected, and asks further only where the answer leaves
/// open what is wrong. `limit` is for the first answer in each version.
Task<HttpEvidence> converse(Origin origin, asio::ip::tcp::endpoint target, std::string host, TcpExpectation expected, std::chrono::milliseconds limit);

/// The answers without and with a PROXY protocol header; the second one is not asked for where there is no first one.
Task<std::pair<HttpAnswer, HttpAnswer>> compare_proxy_line(Origin origin, asio::ip::tcp::endpoint target, std::string host);

/// A check as fly.toml has it, from where Fly.io makes it; of a TCP check only `reach` is set. Its Host is the machine's
/// address (platform facts 4.7).
Task<HttpAnswer> make_check(Origin origin, asio::ip::tcp::endpoint target, CheckExpectation check);

}  // namespace flylocal::report
