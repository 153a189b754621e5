#include "flylocal/report/explanation.hpp"

#include <algorithm>

namespace flylocal::report {
namespace {

constexpr std::string_view kRefusedOnFly =
    "Fly Proxy's connections are refused. The deploy's check may warn that the app is not listening on the expected address; "
    "requests are retried and end with 503. The log says \"instance refused connection. is your app listening on "
    "0.0.0.0:PORT?\" and later \"could not find a good candidate within N attempts at load balancing\".";

constexpr Explanation kExplanations[] = {
    {"ok", "Reachable on every path that matters",
     "Something listens on the port, and real connects came through: from Fly Proxy's side to the private IPv4 address, and from "
     "a peer on the network to the 6PN address. For a port that only [[expect]] names, 6PN alone counts.",
     "The app is reachable by its public name and by its .internal name.", ""},
    {"ipv4-only", "Fly Proxy gets through, other apps do not",
     "The port answers at the private IPv4 address and refuses at the 6PN address: the server listens on 0.0.0.0.",
     "The public name works. Another app that dials APP.internal gets \"connection refused\", since .internal names have IPv6 "
     "addresses only.",
     "Nothing, if no other app dials it. Otherwise listen on [::], which takes IPv4 as well unless IPV6_V6ONLY is set. "
     "To have flylocal insist on it, put [[expect]] with 6pn = PORT into flylocal.toml."},
    {"running", "A process group without a service, and its program runs",
     "fly.toml gives this process group no TCP service, and its program runs or has ended with exit code 0.",
     "Nothing connects to it from outside; over 6PN, whatever it listens on can be reached.", ""},
    {"loopback-only", "Listens on this machine's loopback alone",
     "The port is bound to 127.0.0.1 or ::1, which only programs inside of the same machine can reach. Many development servers "
     "do that by default.",
     kRefusedOnFly,
     "Make the server listen on 0.0.0.0 for Fly Proxy, or on [::] for Fly Proxy and 6PN. Most servers have an option or a variable "
     "for it: --host 0.0.0.0, -b 0.0.0.0, HOST=0.0.0.0. \"localhost\" as the host means loopback as well."},
    {"ipv6-only", "Listens on [::] with IPV6_V6ONLY, so without IPv4",
     "The port is bound to [::], and the socket option IPV6_V6ONLY is on (ipv6(7)), so it takes no IPv4 connections.",
     "Fly Proxy connects to the private IPv4 address, and is refused: 503. The deploy's check sees a listener that is not on "
     "loopback and passes. Over 6PN it works.",
     "Switch IPV6_V6ONLY off (Node: no ipv6Only; nginx: ipv6only=off), or listen on 0.0.0.0 too."},
    {"6pn-only", "Listens on the 6PN address alone",
     "The port is bound to the machine's 6PN address, as the name fly-local-6pn gives it.",
     "Other apps reach it over 6PN. Fly Proxy connects to the private IPv4 address, and is refused: 503. The deploy's check passes.",
     "Listen on 0.0.0.0 as well, or on [::] for both. If the app is meant to be private, take the service out of fly.toml."},
    {"global-services-only", "A TCP server on the address that is for UDP",
     "The port is bound to the address of fly-global-services.",
     "That address is where Fly Proxy's UDP datagrams arrive. TCP connections go to the private IPv4 address, and are refused: 503.",
     "Listen on 0.0.0.0 for TCP. Only UDP sockets belong on fly-global-services."},
    {"wrong-port", "Listens, on another port than internal_port",
     "Nothing listens on the service's internal_port, and the program listens on another port.",
     kRefusedOnFly,
     "Set internal_port in fly.toml to the port that the program uses, or make the program use that port: many read PORT from "
     "the environment, which [env] in fly.toml can set."},
    {"nothing-listening", "Runs, and listens on no TCP port",
     "The program runs, and did not listen on any TCP port in the time that its checks' grace_period, or 15 seconds, give it.",
     "The deploy's check warns that the app is not listening on the expected address, health checks fail, and requests end with "
     "503 when Fly Proxy gives up: \"failed to connect to machine: gave up after N attempts\".",
     "Look at the program's output: flylocal logs. It may wait for something (a database, an input), or be no server. One that is "
     "only slow needs a longer grace_period."},
    {"udp-only", "A UDP socket on the port of a TCP service",
     "The port is bound for UDP, and the service in fly.toml is TCP.",
     "Fly Proxy's TCP connections are refused: 503. The deploy's check looks at ports and not at protocols, so it passes.",
     "Set protocol = \"udp\" for the service if UDP is meant, or make the program listen on TCP."},
    {"not-running", "The program ended, or did not start",
     "The machine is not started: its program could not be executed, ended, or ends again after each restart. The report shows the "
     "exit code and what it said last.",
     "The machine is restarted by its restart policy and then left stopped: \"machine has reached its max restart count\". Nothing "
     "serves requests: 503.",
     "Look at flylocal logs. Exit code 0 is no success for a service: a program that goes into the background ends the machine. "
     "What the image brings and this host lacks can end it here and not there."},
    {"refused", "Listens where it should, and is refused all the same",
     "A socket listens on an address that takes Fly Proxy's connections, and a real connect was refused.",
     kRefusedOnFly,
     "The program may have closed the socket at that moment, or filters by address. Look at the listening addresses in the report: "
     "one that belongs to another interface does not count."},
    {"not-accepting", "Listens, and accepts no connections",
     "The kernel's queue of connections that wait to be accepted is full, so that new ones get no answer: the program does not call "
     "accept(2).",
     "Fly Proxy's connections time out, and it tries again until it gives up: \"failed to connect to machine: gave up after N "
     "attempts\".",
     "The program hangs, or does long work before it serves. A larger backlog only hides it."},
    {"6pn-unreachable", "A port that 6PN must reach, and does not",
     "[[expect]] in flylocal.toml says that other machines must reach this port over 6PN, and a real connect to the 6PN address failed.",
     "Other apps that dial APP.internal get \"connection refused\".",
     "Listen on [::] for Fly Proxy and 6PN, or on fly-local-6pn in addition."},
};

}  // namespace

std::span<const Explanation> explanations() { return kExplanations; }

const Explanation* explain(std::string_view code) {
  auto found = std::find_if(std::begin(kExplanations), std::end(kExplanations), [&](const Explanation& one) { return one.code == code; });
  return found == std::end(kExplanations) ? nullptr : found;
}

}  // namespace flylocal::report
