#include "flylocal/report/proxy_code_explanation.hpp"

#include <algorithm>
#include <cctype>

namespace flylocal::report {
namespace {

constexpr std::string_view kNoCandidateOnFly =
    "The request ends with 503 and an empty body. The log says \"could not find a good candidate within N attempts at load balancing\".";

constexpr std::string_view kConnectOnFly =
    "Fly Proxy tries other machines, and the same one again. When none takes the connection the request ends with 503 (PR03); the log "
    "has this code with the machine's id for each attempt.";

constexpr std::string_view kHandshakeOnFly =
    "The handshake fails there as well: clients see an alert or a closed connection, and no request reaches the app.";

constexpr std::string_view kWakeOnFly =
    "Fly Proxy starts a stopped machine for a request, too, and gives up after a while: the request ends with 503.";

constexpr std::string_view kSeeTheMachine =
    "`flylocal machine list` shows each machine's state, `flylocal logs` what its program said, `flylocal check` what it listens on.";

// In the order of the README.
constexpr Explanation kCodes[] = {
    {"PR01", "No machine could take a connection of a port without the http handler",
     "The client's connection was closed: no machine is started, healthy and not cordoned, or none took the connection.",
     "The connection is closed. The log says \"no known healthy instances found for route tcp/PORT\".", kSeeTheMachine},
    {"PR03", "No machine took the request",
     "Each machine that the request could go to was tried, some more than once, and refused the connection or did not answer. The body "
     "of the answer has the attempts, and what the bind report knows of each machine.",
     kNoCandidateOnFly,
     "Follow the fix that stands under each attempt. Most often the app has to listen on 0.0.0.0:PORT or [::]:PORT with the service's "
     "internal_port; `flylocal check` says what it listens on."},
    {"PR04", "There was no machine that the request could have gone to",
     "No machine of the app is started, or all of them fail their checks, are cordoned, or stayed at their hard_limit for as long as a "
     "request waits.",
     kNoCandidateOnFly,
     "The answer's body says which of these it was. `flylocal machine list` and `flylocal checks list` show the machines' states; with "
     "auto_start_machines = true a request starts a stopped machine."},
    {"PU01", "The machine does not speak HTTP/2 in plain text",
     "The service has h2_backend = true, and what the app answered to the proxy's first octets was not HTTP/2.",
     "The request ends with 502.",
     "Let the app serve HTTP/2 without TLS and without an upgrade (\"prior knowledge\"), as gRPC servers do with an insecure port, or take "
     "h2_backend out of fly.toml."},
    {"PU02", "The machine took the request and did not answer it completely",
     "The connection was closed or reset, or the answer's framing was wrong, or nothing moved for as long as idle_timeout says.",
     "The request ends with 502, or the answer is cut where part of it was sent. The log says \"could not complete HTTP request to "
     "instance: connection closed before message completed\".",
     "`flylocal logs` shows whether the program ended or reported an error at that moment. A server that closes kept connections early "
     "needs a longer keep-alive time than the proxy's, which reuses connections for about 4 s."},
    {"PC01", "The machine refused the connection",
     "Nothing listens on the private IPv4 address and the service's internal_port: the kernel answered with a reset (ECONNREFUSED).",
     kConnectOnFly, "Make the server listen on 0.0.0.0:PORT, or on [::]:PORT for 6PN as well. `flylocal check` says what it listens on."},
    {"PC03", "The machine reset the connection while it was made", "connect(2) ended with ECONNRESET.", kConnectOnFly, kSeeTheMachine},
    {"PC04", "The connection to the machine was aborted", "connect(2) ended with ECONNABORTED, or the machine went away meanwhile.",
     kConnectOnFly, kSeeTheMachine},
    {"PC05", "The machine did not answer the attempt to connect",
     "No answer came within the proxy's limit. A listener whose queue is full, or a firewall in the machine, drops attempts silently.",
     kConnectOnFly, "See whether the program still calls accept(2), and whether the machine has firewall rules."},
    {"PC06", "The connection to the machine failed for another reason", "The answer's body has the system's error.", kConnectOnFly,
     kSeeTheMachine},
    {"PT04", "The TLS handshake failed",
     "The client and the proxy could not agree, or the client ended it with an alert: often it does not trust the certificate.",
     kHandshakeOnFly,
     "`flylocal certs ca` shows the local authority and how clients come to trust it. `tls_options` in fly.toml limits versions and ALPN."},
    {"PT05", "There is no certificate for the name that the client asked for",
     "The client's server name (SNI) belongs to no app on this port.", kHandshakeOnFly,
     "Use APP.fly.dev or APP.localhost, or list the name under domains of [tls] in flylocal.toml (on Fly.io: fly certs add NAME)."},
    {"PT06", "The client named no server, and the port has no default one",
     "Without a server name (SNI) the proxy cannot tell which of several apps is meant.", kHandshakeOnFly,
     "Connect by name instead of by address, or give the app a port of its own."},
    {"PT07", "The connection broke during the TLS handshake", "The client closed or reset it before the handshake was done.", kHandshakeOnFly,
     "Nothing, if it was a port scan or a TCP check. Otherwise look at the client's own message."},
    {"PT08", "The TLS handshake took too long", "The client began a handshake and did not go on with it.", kHandshakeOnFly,
     "Look at the client: it may wait for the server to speak first, as plain SMTP or SSH clients do."},
    {"PM03", "The machine that was started for the request was not ready in time",
     "It started, but did not get as far as taking connections before the limit of a wake was over.", kWakeOnFly,
     "`flylocal logs` shows what it did meanwhile. Start faster, or keep one running with min_machines_running = 1."},
    {"PM05", "The machine that was started for the request does not take connections",
     "It is started, and refuses connections on the service's internal_port.", kWakeOnFly,
     "As for PC01: make the server listen on 0.0.0.0:PORT or [::]:PORT."},
    {"PM07", "The machine could not be started for the request", "Its start failed.", kWakeOnFly,
     "`flylocal logs` shows why; `flylocal machine start ID` tries it again."},
};

}  // namespace

std::span<const Explanation> proxy_code_explanations() { return kCodes; }

const Explanation* explain_proxy_code(std::string_view code) {
  const auto is_code = [code](const Explanation& one) {
    return std::equal(code.begin(), code.end(), one.code.begin(), one.code.end(),
                      [](char given, char known) { return std::toupper(static_cast<unsigned char>(given)) == known; });
  };
  const auto found = std::find_if(std::begin(kCodes), std::end(kCodes), is_code);
  return found == std::end(kCodes) ? nullptr : found;
}

}  // namespace flylocal::report
