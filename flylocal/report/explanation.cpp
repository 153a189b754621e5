#include "flylocal/report/explanation.hpp"

#include <algorithm>

namespace flylocal::report {
namespace {

constexpr std::string_view kRefusedOnFly =
    "Fly Proxy's connections are refused. fly deploy may warn: \"The app is not listening on the expected address and will not be "
    "reachable by fly-proxy\". The log says \"instance refused connection. is your app listening on 0.0.0.0:PORT?\" (PC01) and later "
    "\"could not find a good candidate within N attempts at load balancing\" (PR03). Requests are retried and end with 503.";

constexpr std::string_view kEndsOnFly =
    "The program ends there as it does here. The restart policy starts the machine again, until \"machine has reached its max restart "
    "count of 10\", and then it stays stopped. fly deploy warns that the app is not listening on the expected address, and requests end "
    "with 503.";

constexpr std::string_view kBrokenOffOnFly =
    "Fly Proxy answers 502. The log says \"could not complete HTTP request to instance: connection closed before message completed\" "
    "(PU02).";

constexpr std::string_view kFailingCheckOnFly =
    "The check stays critical: \"Health check 'servicecheck-00-http-8080' on port 8080 has failed. Your app is not responding "
    "properly\". fly deploy ends with \"timeout reached waiting for health checks to pass for machine ID\". A machine whose service "
    "check fails gets no requests: \"no known healthy instances found for route tcp/443\" (PR01). One of the top-level [checks] holds "
    "no requests back.";

constexpr std::string_view kNoDatagramOnFly =
    "Clients get no answer and time out. fly deploy does not warn: it looks at TCP services only.";

constexpr Explanation kExplanations[] = {
    // Where it listens.
    {"ok", "Works on this path",
     "A real attempt on this path came through: a connection, a request, a datagram, or a check of fly.toml, made from where Fly.io "
     "makes it.",
     "It works there in the same way.", ""},
    {"running", "A process group without a service, and its program runs",
     "fly.toml gives this process group no service, and its program runs or has ended with exit code 0.",
     "Nothing connects to it from outside; over 6PN, whatever it listens on can be reached.", ""},
    {"ipv4-only", "Listens on IPv4 alone: Fly Proxy gets through, other apps do not",
     "The port is bound to 0.0.0.0. It answers at the private IPv4 address and refuses at the 6PN address.",
     "The public name works. Another app that dials APP.internal gets \"connection refused\" (ECONNREFUSED fdaa:...), since .internal "
     "names have IPv6 addresses only. Through fly proxy, curl says \"(56) Recv failure: Connection reset by peer\".",
     "Nothing, if no other app dials it. Otherwise listen on [::], which takes IPv4 as well unless IPV6_V6ONLY is set. "
     "To have flylocal insist on it, put [[expect]] with 6pn = PORT into flylocal.toml."},
    {"private-ipv4-only", "Listens on the private IPv4 address alone: only Fly Proxy gets through",
     "The port is bound to the machine's private IPv4 address. Often the name came from the environment: HOSTNAME holds the machine's "
     "id, and /etc/hosts has this address for it.",
     "The public name works. Over 6PN it is \"connection refused\", and so is localhost inside of the machine, which a script or a "
     "side program there may try.",
     "Listen on [::] for both, or on 0.0.0.0 for Fly Proxy and localhost. If the server takes its address from HOSTNAME or HOST, set "
     "that variable in [env] of fly.toml."},
    {"loopback-only", "Listens on this machine's loopback alone",
     "The port is bound to 127.0.0.1 (or another of 127.0.0.0/8), to ::1, or to ::ffff:127.0.0.1, which only programs inside of the "
     "same machine can reach. Many development servers do that by default.",
     kRefusedOnFly,
     "Make the server listen on 0.0.0.0 for Fly Proxy, or on [::] for Fly Proxy and 6PN. Most servers have an option or a variable "
     "for it: --host 0.0.0.0, -b 0.0.0.0, HOST=0.0.0.0. \"localhost\" as the host means loopback as well."},
    {"ipv6-only", "Listens on [::] with IPV6_V6ONLY, so without IPv4",
     "The port is bound to [::], and the socket option IPV6_V6ONLY is on (ipv6(7)), so it takes no IPv4 connections. Of the servers "
     "that we told to listen on [::], one in four sets it by itself.",
     "Over 6PN it works. Fly Proxy connects to the private IPv4 address and is refused: 503, \"instance refused connection\" (PC01). "
     "fly deploy does not warn: for it any listener that is not on loopback will do.",
     "Switch IPV6_V6ONLY off (Node: no ipv6Only; nginx: ipv6only=off), or listen on 0.0.0.0 too."},
    {"6pn-only", "Listens on the 6PN address alone",
     "The port is bound to the machine's 6PN address, as the name fly-local-6pn gives it.",
     "Other apps reach it over 6PN. Fly Proxy connects to the private IPv4 address and is refused: 503, \"instance refused "
     "connection\" (PC01). fly deploy does not warn.",
     "Listen on 0.0.0.0 as well, or on [::] for both. If the app is meant to be private, take the service out of fly.toml."},
    {"global-services-only", "A TCP server on the address that is for UDP",
     "The port is bound to the address of fly-global-services.",
     "That address is where UDP datagrams arrive. Fly Proxy's TCP connections go to the private IPv4 address and are refused: 503. "
     "fly deploy does not warn.",
     "Listen on 0.0.0.0 or [::] for TCP. Only UDP sockets belong on fly-global-services."},
    {"wrong-port", "Listens, on another port than internal_port",
     "Nothing listens on the service's internal_port, and the program listens on another port. Of several ports flylocal offers the one "
     "that is most likely for visitors: not a debugger's or one for metrics, and rather the main program's than a side program's.",
     kRefusedOnFly,
     "Set internal_port in fly.toml to the port that the program uses, or make the program use that port: many read PORT from "
     "the environment, which [env] in fly.toml can set. EXPOSE in a Dockerfile sets neither."},
    {"nothing-listening", "Runs, and listens on no TCP port",
     "The program runs, and did not listen on any TCP port in the time that its checks' grace_period, or 15 seconds, give it. Until "
     "that time is over the result is pending.",
     "fly deploy warns: \"The app is not listening on the expected address and will not be reachable by fly-proxy\"; its table of "
     "listening sockets shows /.fly/hallpass on port 22 alone, which is Fly.io's own. Checks fail, and requests end with 503 when Fly "
     "Proxy gives up: \"failed to connect to machine: gave up after N attempts\".",
     "Look at the program's output: flylocal logs. It may wait for something (a database, an input), or be no server. One that is "
     "only slow needs a longer grace_period."},
    {"udp-only", "A UDP socket on the port of a TCP service",
     "The port is bound for UDP alone, and the service in fly.toml is TCP.",
     "Fly Proxy's TCP connections are refused: 503. fly deploy does not warn: it looks at ports and not at protocols.",
     "Set protocol = \"udp\" for the service if UDP is meant, or make the program listen on TCP."},
    {"not-running", "The program ended, or did not start",
     "The machine is not started: its program could not be executed, ended, or ends again after each restart. The report shows the "
     "exit code and what it said last.",
     kEndsOnFly,
     "Look at flylocal logs. Exit code 0 is no success for a service: a program that goes into the background ends the machine. "
     "What the image brings and this host lacks can end it here and not there."},
    {"refused", "Listens where it should, and is refused all the same",
     "A socket listens on an address that takes the connections of this path, and a real connect was refused.",
     kRefusedOnFly,
     "The program may have closed the socket at that moment, or filters by address. Look at the listening addresses in the report: "
     "one that belongs to another interface does not count."},
    {"not-accepting", "Listens, and accepts no connections",
     "The kernel's queue of connections that wait to be accepted is full, so that new ones get no answer: the program does not call "
     "accept(2).",
     "Fly Proxy's connections time out (PC05), and it tries again until it gives up: 503, \"could not find a good candidate within N "
     "attempts at load balancing\" (PR03). fly deploy sees a listener and does not warn; checks fail.",
     "The program hangs, or does long work before it serves. A larger backlog only hides it."},
    {"split-port", "Two programs share one port: one answers over IPv4, the other over IPv6",
     "The port has an IPv4 socket of one program and an IPv6 socket of another, which may be the same server started twice with "
     "different words. Neither gets in the other's way, so neither complains. The workers of one parent count as one program.",
     "Fly Proxy, and with it every visitor, meets the program on IPv4. Other apps, over 6PN, meet the one on IPv6. Both answer, and no "
     "check tells them apart.",
     "Give one of them another port, or end it: it may be left over from an earlier start, or be a proxy in front of the other. One "
     "program on [::] serves both families."},
    {"slow-start", "Listens, later than the checks' grace_period",
     "The program's first listening socket appeared later after its start than the longest grace_period of its checks.",
     "Checks fail until it listens, and during a deploy they may fail it. fly deploy's warning that the app is not listening can be a "
     "false alarm: it waits 15 seconds or the longest grace_period. A request that starts a stopped machine may end with \"failed to "
     "connect to machine: gave up after 15 attempts\".",
     "Raise grace_period in the checks (up to 60s for those of a service), or listen first and do the slow work afterwards. A VM on "
     "Fly.io can be slower than this host."},

    // Why it does not get to listen.
    {"name-not-accepted", "The program does not take the name fly-local-6pn",
     "The program was told to listen on fly-local-6pn, and ended with an error about that name. It looks names up as IPv4 only, or "
     "takes addresses only, and the name has just an IPv6 address. The report quotes its own line.",
     kEndsOnFly,
     "Give it the address instead: $FLY_PRIVATE_IP, in brackets where a port follows ([$FLY_PRIVATE_IP]:PORT), or switch its IPv6 "
     "on first. If it has a service in fly.toml, [::] is the better choice: Fly Proxy does not reach fly-local-6pn."},
    {"address-in-use", "The port is taken inside of the machine",
     "The program ended, or goes on without the port, because another socket in the machine holds it: \"address already in use\" "
     "(EADDRINUSE, Errno 98). The report names the holder where it still runs.",
     "The same happens there. Besides, port 22 of the 6PN address is always taken on Fly.io, by its own SSH server (hallpass).",
     "End the other program, or move one of them to another port. Two entries of one server's configuration can collide as well. "
     "An SSH server of your own needs another port than 22."},
    {"wildcards-collide", "0.0.0.0 and [::] on one port: the second bind fails",
     "The program was told to listen on both wildcards. Its [::] takes IPv4 too, so the two want the same port, and the second gets "
     "\"address already in use\" (EADDRINUSE, Errno 98).",
     "The program ends there as well, some at once. gunicorn looks alive for about five seconds: it says \"Retrying in 1 second\", "
     "resets every connection and then exits with 1. In that time fly deploy sees a listener and does not warn.",
     "Listen on [::] alone: it takes both families. Keep the pair only for servers that set IPV6_V6ONLY, such as nginx or PostgreSQL."},
    {"address-not-here", "An address that the machine does not have",
     "The program was told to listen on an address that is none of the machine's: \"Cannot assign requested address\" (EADDRNOTAVAIL, "
     "Errno 99).",
     "A machine there has the same kinds of addresses, so the program ends there as it does here. 6PN addresses change when a machine "
     "moves to another host, so that one that is written into a configuration stops working one day.",
     "Listen on [::] or 0.0.0.0, which need no address; for the 6PN address alone take it from $FLY_PRIVATE_IP at each start."},
    {"privileged-port", "A port below 1024, without the right to it",
     "The program runs as a user other than root, and its bind was denied: \"permission denied\" (EACCES, Errno 13).",
     "Fly.io runs the program as the image's USER, and by Linux's default the ports below 1024 are root's: it ends with the same error. "
     "Docker opens those ports to everybody in its containers, so the image may have worked there.",
     "Listen on a port from 1024 up, such as 8080, and set internal_port to it: visitors still use 80 and 443. Or run the program as "
     "root and let it drop its rights, as nginx does."},
    {"family-not-supported", "The program makes an IPv4 socket and was given an IPv6 address",
     "The program ended with \"Address family for hostname not supported\" (Errno -9), or EAFNOSUPPORT: it knows IPv4 only, or was not "
     "told to use IPv6.",
     kEndsOnFly,
     "Look for its IPv6 switch (Python's HTTPServer: address_family = AF_INET6; Django's runserver: -6). With none, listen on "
     "0.0.0.0, which is enough for Fly Proxy; for 6PN put a forwarder in front, such as socat TCP6-LISTEN:PORT,fork TCP4:127.0.0.1:PORT2."},

    // What it answers.
    {"no-answer", "Accepts the connection, and never answers the request",
     "The connect came through, an HTTP request was sent, and no answer came in time.",
     "The visitor waits until one side gives up. HTTP checks fail at their timeout, and then no requests are sent to the machine: \"no "
     "known healthy instances found for route tcp/443\" (PR01). fly deploy sees a listener and does not warn.",
     "The program may wait for something itself (a database, another app), serve one connection at a time, or speak no HTTP on this "
     "port. Look at flylocal logs. If it is no HTTP server, take the http handler off the port."},
    {"closes-connection", "Accepts the connection, and closes or resets it without an answer",
     "The connect came through, and the program broke the connection off before it answered.",
     kBrokenOffOnFly,
     "Look at flylocal logs: the program may crash on the request, wait for TLS or a PROXY line, or accept clients from some "
     "addresses only. Fly Proxy and checks come from 172.16.0.0/12, other apps from fdaa::/16."},
    {"not-http", "Answers, and what it says is no HTTP",
     "The port has the http handler in fly.toml, and the program's answer to an HTTP request does not begin like HTTP.",
     "Fly Proxy cannot read the answer: 502, \"could not complete HTTP request to instance\" (PU02).",
     "For a protocol other than HTTP leave handlers empty (raw TCP), or use [\"tls\"] to have TLS ended by Fly Proxy. Otherwise set "
     "internal_port to the port of the HTTP server."},
    {"http2-only", "Speaks HTTP/2 alone, and Fly Proxy speaks HTTP/1.1 to it",
     "The port has the http handler in fly.toml, and the program's answer to a request in HTTP/1.1 is a frame of HTTP/2 (SETTINGS or "
     "GOAWAY), or says that it takes nothing else. Servers of gRPC are so.",
     "Fly Proxy takes HTTP/2 from visitors and speaks HTTP/1.1 to the program, unless h2_backend says otherwise. It cannot read the "
     "answer: 502, \"could not complete HTTP request to instance\" (PU02). gRPC clients say \"unavailable\".",
     "Set h2_backend = true in [http_service.http_options], or in http_options of the port under [[services.ports]]. gRPC needs \"h2\" "
     "in tls_options.alpn where that is set. HTTP checks do not understand such a server: use a check of type tcp."},
    {"http1-only", "h2_backend = true, and the program does not speak HTTP/2",
     "fly.toml has h2_backend = true, so that Fly Proxy speaks HTTP/2 without TLS and without asking first (prior knowledge). The "
     "program did not answer that with a frame of HTTP/2: it knows HTTP/1.1 alone.",
     "Each request ends with 502, and the log says that the handshake of h2c with the program failed (PU01).",
     "Take h2_backend out of fly.toml: visitors get HTTP/2 without it, as Fly Proxy translates. Otherwise switch HTTP/2 without TLS on in "
     "the program (h2c): many servers speak HTTP/2 over TLS alone unless they are told."},
    {"speaks-tls", "The program wants TLS, and Fly Proxy speaks plaintext to it",
     "What the program said to plaintext shows that it wants TLS on this port.",
     "Fly Proxy ends TLS at its edge and talks plaintext to the program. Visitors see the program's complaint, such as 400 \"The plain "
     "HTTP request was sent to HTTPS port\" or \"Client sent an HTTP request to an HTTPS server\", or 502 where it hangs up.",
     "Serve plain HTTP on internal_port and leave certificates to Fly Proxy. To do TLS yourself, give port 443 no handlers at all, so "
     "that the bytes pass through."},
    {"tls-passed-through", "Port 443 without the tls handler, in front of a program that speaks plaintext",
     "The service's port 443 has no tls handler, and the program answers plaintext on internal_port.",
     "The clients' TLS reaches the program as it is. It cannot read it; browsers say ERR_SSL_PROTOCOL_ERROR or "
     "SSL_ERROR_RX_RECORD_TOO_LONG, curl \"wrong version number\".",
     "Write handlers = [\"tls\", \"http\"] for port 443 (or [\"tls\"] for a protocol other than HTTP). http_service does it by itself."},
    {"proxy-protocol-missing", "The program waits for a PROXY line, and none is sent",
     "The program expects the PROXY protocol on this port (in nginx: listen ... proxy_protocol), and the port has no proxy_proto "
     "handler in fly.toml.",
     "The program takes the first bytes for a broken PROXY line and closes the connection. nginx logs \"broken header\" while reading "
     "PROXY protocol; visitors get 502 behind the http handler, else a closed connection.",
     "With the http handler switch the PROXY protocol off in the program: the visitor's address is in Fly-Client-IP and "
     "X-Forwarded-For. For raw TCP write handlers = [\"proxy_proto\"]."},
    {"proxy-protocol-unexpected", "A PROXY line is sent, and the program does not understand it",
     "The port has the proxy_proto handler in fly.toml, and the program took the PROXY line for a part of its own protocol.",
     "Each connection begins with a line such as \"PROXY TCP4 CLIENT SERVER PORT PORT\". HTTP servers answer it with 400, others with "
     "an error of their own, or they hang up.",
     "Take proxy_proto out of handlers, or switch the PROXY protocol on in the program for this port. It then needs the line on every "
     "connection, also on those that come over 6PN."},
    {"host-refused", "Reachable, and refuses the host name of the request",
     "The connect came through, and the program answers 400, 403 or 421 to the host APP.fly.dev. Development servers refuse hosts that "
     "they do not know, against DNS rebinding. Others know their own domain only, and refuse localhost as well: flylocal then goes by "
     "what the answer or the program's log says. A server that turns everybody down without such words is not meant.",
     "Visitors of APP.fly.dev see, from Vite, 403 \"Blocked request. This host (\"APP.fly.dev\") is not allowed\"; from "
     "webpack-dev-server \"Invalid Host header\"; from Rails 403 \"Blocked host\"; from Django 400, with \"Invalid HTTP_HOST header\" in "
     "its log. HTTP checks may be refused as well: they send the machine's private IPv4 address as Host.",
     "Allow the name: Vite preview.allowedHosts or server.allowedHosts, webpack-dev-server allowedHosts, Rails config.hosts, Django "
     "ALLOWED_HOSTS. Or deploy the production server and not the development server."},
    {"redirect-loop", "Redirects to https although the request came by https",
     "The request said X-Forwarded-Proto: https, as Fly Proxy does for a visitor on https, and the answer redirects to https again.",
     "Fly Proxy ends TLS, so the program always sees plain HTTP and redirects for ever. Browsers say ERR_TOO_MANY_REDIRECTS.",
     "Let the program trust X-Forwarded-Proto (Django SECURE_PROXY_SSL_HEADER, Express trust proxy, Phoenix rewrite_on), or switch its "
     "own redirect off and set force_https = true in fly.toml, which Fly Proxy does itself."},
    {"server-error", "Answers with 5xx",
     "The connect came through and the program speaks HTTP, with a status of 500 or more.",
     "Fly Proxy passes the answer on as it is. A check on that path fails, since it needs 2xx.",
     "Look at flylocal logs. Often a variable or a secret is missing, or a database cannot be reached: flylocal reads secrets from "
     "secrets_file in flylocal.toml, and machines here have no way out to the internet."},
    {"needs-credentials", "Reachable, and asks for a name and a password",
     "The program answered with 401: the network is right, and the server wants credentials.",
     "The same: visitors are asked for credentials. An HTTP check on that path gets 401 and fails, since it needs 2xx.",
     "Nothing for the network. Point HTTP checks at a path that needs no credentials, or send them in the check's headers."},
    {"client-refused", "Reachable, and the server refuses foreign clients by itself",
     "The connect came through, and the server's first words refuse the client: Redis in protected mode, MariaDB for a host that has no "
     "account, PostgreSQL without a line for the address in pg_hba.conf.",
     "The same words: Redis \"-DENIED Redis is running in protected mode\", MariaDB 1130 \"Host ... is not allowed to connect\", "
     "PostgreSQL \"no pg_hba.conf entry for host \"fdaa:...\"\". A check of type tcp passes all the same.",
     "It is the server's own rule; the address that it listens on is right. Redis: set a password, or protected-mode no. MariaDB: an "
     "account for '%' or for the network. PostgreSQL: lines for 172.16.0.0/12 (Fly Proxy) and fdaa::/16 (6PN) in pg_hba.conf."},

    // This host.
    {"published-unreachable", "The port on this host does not lead to the program",
     "A connect, or a request, through the port that flylocal published on this host's loopback did not come through.",
     "This port exists here only. What Fly Proxy meets on Fly.io is on the line of the proxy path: if that one is well, so is the app.",
     "If the proxy path has a problem, solve that first. Otherwise see with flylocal status which port was published, and whether "
     "another program of this host answers there. flylocal.toml's [ports] picks another one."},

    // UDP.
    {"udp-wrong-source", "The UDP answer leaves from another address than fly-global-services",
     "A datagram was sent to fly-global-services, as Fly.io does, and the answer came from the private IPv4 address: a socket on a "
     "wildcard answers from the machine's first address.",
     "The answer is not passed back. The program's log shows every datagram, and the clients time out.",
     "Bind the socket to fly-global-services:PORT. Add a second socket for 6PN. A server that sets IP_PKTINFO, or opens one socket "
     "per address, may stay on a wildcard: flylocal then sees the right address."},
    {"udp-unanswered", "Bound where datagrams arrive; the probe got no answer",
     "A UDP socket takes what is sent to fly-global-services, and it did not answer flylocal's datagram, which may be none of its "
     "protocol. Only an answer shows from which address answers leave.",
     "Datagrams reach the program. Whether its answers reach the clients depends on their source address: it must be "
     "fly-global-services.",
     "If the socket is bound to fly-global-services, its answers leave from there, and nothing is to be done. Bound to a wildcard, "
     "they leave from the private IPv4 address unless the program takes care: bind it to fly-global-services."},
    {"udp-not-listening", "No UDP socket on the port of a UDP service",
     "The service in fly.toml is UDP, and the machine has no UDP socket on its port. A TCP socket may be there instead.",
     kNoDatagramOnFly,
     "Make the program open a UDP socket on fly-global-services:PORT, or set protocol = \"tcp\" if TCP is meant. Many servers have a "
     "switch of their own for UDP."},
    {"udp-unreachable", "A UDP socket where datagrams to fly-global-services do not arrive",
     "The port is bound for UDP on loopback, on the private IPv4 address, on the 6PN address, or on [::] with IPV6_V6ONLY. Datagrams go "
     "to the address of fly-global-services, which is another one.",
     kNoDatagramOnFly,
     "Bind the socket to fly-global-services:PORT, an IPv4 address. For 6PN as well, open a second socket on fly-local-6pn:PORT."},
    {"udp-port-differs", "UDP: the public port and internal_port differ",
     "A UDP service in fly.toml has a port that is not its internal_port.",
     "Fly.io does not rewrite the port of UDP datagrams: they arrive at the public port's number, and internal_port has no effect. "
     "A program on internal_port hears nothing, and clients time out.",
     "Use one number for both, and make the program bind to it."},
    {"udp-needs-ipv4", "UDP needs a dedicated IPv4 address",
     "fly.toml has a UDP service. It works on one kind of address only, and fly.toml cannot ask for it.",
     "Datagrams are forwarded from a dedicated IPv4 address alone. On a shared IPv4 address and on IPv6 nothing arrives, and clients "
     "time out.",
     "fly ips list shows what the app has; fly ips allocate-v4 adds a dedicated address, which costs money. See to it that clients do "
     "not choose an IPv6 address of the app."},

    // Checks of fly.toml.
    {"check-unreachable", "A check does not get a connection",
     "The check of fly.toml was made as Fly.io makes it, at the private IPv4 address, and could not connect.",
     "The check's output says \"connect: connection refused\". fly deploy ends with \"timeout reached waiting for health checks to "
     "pass for machine ID\", and a machine whose service check fails gets no requests.",
     "The line of the proxy path tells why the port is not reached. A check of the top-level [checks] has a port of its own: compare "
     "it with the port that the program uses."},
    {"check-redirects", "A check is answered with a redirect, which counts as failed",
     "The HTTP check of fly.toml got a status of 3xx. Checks follow no redirects. Mostly the program sends plain HTTP to https.",
     kFailingCheckOnFly,
     "Say in the check that the visitor came by https: headers = { X-Forwarded-Proto = \"https\" }. Or exempt the path from the "
     "redirect, or give the path that it leads to."},
    {"check-not-2xx", "A check is answered with another status than 2xx",
     "The HTTP check of fly.toml got an answer, and its status is neither 2xx nor a redirect.",
     kFailingCheckOnFly,
     "404: the path is wrong. 401: take a path that needs no credentials. 400, 403, 421: the server may not accept the Host, which is "
     "the machine's private IPv4 address; allow it, or answer this path before the host is looked at. 5xx: look at flylocal logs."},
    {"check-timeout", "A check is not answered in time",
     "The check of fly.toml was made, and no answer came within its timeout.",
     kFailingCheckOnFly,
     "Let the path do little: no query that can wait, no rendering of a whole page. Otherwise raise timeout in the check. A program "
     "that serves one request at a time cannot answer a check while it works."},

    // fly.toml, and what the machine asks for.
    {"service-incomplete", "A service without ports, or without a protocol",
     "A service in fly.toml has no ports, or no protocol. The first has no way in; of the second it is open whether TCP or UDP is meant.",
     "Without ports no public port leads to it, and flyctl only warns. Without protocol, fly deploy's listen check and its choice "
     "between a shared and a dedicated IPv4 address leave the service out.",
     "Write protocol = \"tcp\" and at least one [[services.ports]], or use [http_service], which brings both. A port that only other "
     "apps use over 6PN needs no service."},
    {"no-machine", "No machine belongs to the service",
     "No machine runs the process group of the service: the group has a count of 0, or the service names another group than meant.",
     "Fly Proxy has nobody to ask: \"could not find a good candidate within N attempts at load balancing\" (PR04) and 503, or \"no known "
     "healthy instances found for route tcp/443\" (PR01) and a closed connection.",
     "Name the right group in processes = [...] of the service: without it, the default group is meant. For more machines: fly scale "
     "count GROUP=1; here flylocal scale count, or count in [[machines]] of flylocal.toml."},
    {"force-https-flycast", "force_https, on an app that is reached by Flycast",
     "force_https = true redirects plain HTTP to https, and the app is used by its private .flycast name.",
     "http://APP.flycast is answered with 301 to https://APP.flycast, for which there is no certificate: the client's TLS handshake "
     "fails. fly launch --flycast has been seen to write force_https = true by itself.",
     "Set force_https = false and use http:// over Flycast: 6PN is encrypted on its way. An app that has public addresses too can "
     "redirect by itself, and leave .flycast names out."},
    {"raw-tcp-shared-ipv4", "A port that a shared IPv4 address does not forward",
     "The service has a port other than 80 and 443, without the tls handler.",
     "On a shared IPv4 address the app is found by the name in HTTP or TLS, and raw TCP has none: clients on IPv4 time out. On the "
     "app's IPv6 address the port works, so it may work for some people only.",
     "fly ips allocate-v4 for a dedicated IPv4 address, which costs money. Or add the tls handler and let clients use TLS with the "
     "app's name. A port for your own apps alone needs no service: dial APP.internal."},
    {"autostop-without-autostart", "Machines are stopped when idle, and never started again",
     "The service has auto_stop_machines, and auto_start_machines = false.",
     "Fly Proxy stops machines that have nothing to do, at last all but min_machines_running, and no request starts one: when none is "
     "left, requests fail. .internal names lose a machine that stops as well.",
     "Set auto_start_machines = true, or auto_stop_machines = \"off\". A worker that gets no requests should not be in a service that "
     "stops machines."},
    {"debug-port-open", "A debugger's or administration port can be reached over 6PN",
     "The machine listens on a port that is known for debugging or administration, such as 9229 of Node's inspector, and not on "
     "loopback alone.",
     "No public address leads to it unless a service does. But every machine of the same 6PN network can connect, and so can everybody "
     "with a WireGuard peer there; a debugger lets them run what they like.",
     "Bind it to 127.0.0.1 and use it from fly ssh console, or leave it out of production. If it is meant to be reached over 6PN, "
     "nothing needs to be done."},
    {"asks-ipv4-only", "Asks for the IPv4 address of an .internal name, which has none",
     "A process of the machine asked the resolver for the A record of an .internal name, and none asked for AAAA. Which one it was is not "
     "known: Redis clients, Ecto and Postgrex, and Java with preferIPv4Stack are known for it, and a command that somebody typed in the "
     "machine, such as dig NAME, asks so as well.",
     "The name seems not to exist: \"getaddrinfo ENOTFOUND APP.internal\" from ioredis, \"tcp connect (APP.internal:5432): non-existing "
     "domain - :nxdomain\" from Postgrex, UnknownHostException from Java. Many programs then end, and the machine restarts.",
     "Nothing, if it was such a command (dig NAME AAAA asks for what there is). Otherwise let the client use IPv6. ioredis: family: 0, or ?family=6 in the URL. Ecto: socket_options: [:inet6] (Phoenix: ECTO_IPV6=true). "
     "Java: without -Djava.net.preferIPv4Stack=true. Elsewhere look for an option named family or inet6."},
};

}  // namespace

std::span<const Explanation> explanations() { return kExplanations; }

const Explanation* explain(std::string_view code) {
  auto found = std::find_if(std::begin(kExplanations), std::end(kExplanations), [&](const Explanation& one) { return one.code == code; });
  return found == std::end(kExplanations) ? nullptr : found;
}

}  // namespace flylocal::report
