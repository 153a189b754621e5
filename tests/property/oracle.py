"""What a report may say of a machine, by its sockets and by who got through: the tables of README.md, once more.

Nothing here is taken from flylocal's own judgement. Where several sockets are wrong in several ways, every code that
fits one of them is right, unless the table says "alone".
"""
import dataclasses
import ipaddress

SERVICE_PORT = 5000
DEBUG_PORT = 9229

TAKES_IPV4 = {"0.0.0.0", "[::]", "private"}
TAKES_6PN = {"[::]", "[::] v6only", "6pn"}
TAKES_GLOBAL_SERVICES = {"0.0.0.0", "[::]", "global-services"}


@dataclasses.dataclass(frozen=True)
class Addresses:
    private: str
    global_services: str
    six_pn: str


@dataclasses.dataclass(frozen=True)
class Socket:
    id: str
    protocol: str
    address: str
    port: int
    v6_only: bool
    listening: bool
    mode: str
    backlog: int
    holders: tuple  # of (pid, name)

    @property
    def waits(self):
        """Whether it is one of those that a report lists."""
        return self.protocol == "udp" or self.listening

    def kind(self, addresses):
        address = ipaddress.ip_address(self.address)
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        if address.is_loopback:
            return "loopback"
        if address.version == 4:
            known = {"0.0.0.0": "0.0.0.0", addresses.private: "private", addresses.global_services: "global-services"}
            return known[str(address)]
        if address == ipaddress.ip_address("::"):
            return "[::] v6only" if self.v6_only else "[::]"
        assert address == ipaddress.ip_address(addresses.six_pn), address
        return "6pn"


@dataclasses.dataclass(frozen=True)
class Line:
    """One result of a report, as far as sockets decide it."""
    path: str
    port: int
    reaches: frozenset
    severities: frozenset
    codes: frozenset
    expected: bool


def line(path, port, reaches, severity, codes, expected):
    return Line(path, port, frozenset(reaches.split("/")), frozenset(severity.split()), frozenset(codes.split() if isinstance(codes, str) else codes), expected)


def on_port(sockets, protocol, port):
    return [one for one in sockets if one.protocol == protocol and one.port == port and one.waits]


REACH = {"open": "reachable", "refused": "refused", "timeout": "timed out"}


def codes_of_silence(path, port, truth, sockets, addresses):
    """The codes for a TCP port on which nobody gets through."""
    here = on_port(sockets, "tcp", port)
    if not here:
        # A debugger's port on loopback is not the program's attempt at its own.
        elsewhere = [one for one in sockets if one.protocol == "tcp" and one.waits
                     and not (one.port == DEBUG_PORT and one.kind(addresses) == "loopback")]
        other = {"wrong-port"} if elsewhere else set()
        return other | ({"udp-only"} if on_port(sockets, "udp", port) else set()) or {"nothing-listening"}
    kinds = {one.kind(addresses) for one in here}
    if kinds & (TAKES_6PN if path == "6pn" else TAKES_IPV4):
        return {"not-accepting"} if truth == "timeout" else {"refused"}
    if path == "6pn":
        codes = {"0.0.0.0": "ipv4-only", "private": "private-ipv4-only", "global-services": "global-services-only"}
        alone = ("private", "0.0.0.0")
    else:
        codes = {"[::] v6only": "ipv6-only", "6pn": "6pn-only", "global-services": "global-services-only"}
        alone = ("6pn", "[::] v6only")
    if alone[1] in kinds:
        kinds -= {alone[0]}
    return {codes[kind] for kind in kinds - {"loopback"}} or {"loopback-only"}


def tcp_line(path, port, truth, sockets, addresses, required):
    if truth == "open":
        is_open_door = port == DEBUG_PORT and path == "6pn"
        return line(path, port, "reachable", "note" if is_open_door else "ok", "debug-port-open" if is_open_door else "ok", required)
    codes = codes_of_silence(path, port, truth, sockets, addresses)
    severity = "note" if not required else "pending" if codes == {"nothing-listening"} else "problem"
    return line(path, port, REACH[truth], severity, codes, required)


def udp_line(truth, sockets, addresses):
    here = on_port(sockets, "udp", SERVICE_PORT)
    if truth == f"from {addresses.global_services}":
        return line("udp", SERVICE_PORT, "reachable", "ok", "ok", True)
    if truth != "none":
        return line("udp", SERVICE_PORT, "refused", "problem", "udp-wrong-source", True)
    if not here:
        return line("udp", SERVICE_PORT, "untried/refused", "pending", "udp-not-listening", True)
    kinds = {one.kind(addresses) for one in here}
    if not kinds & TAKES_GLOBAL_SERVICES:
        return line("udp", SERVICE_PORT, "refused", "problem", "udp-unreachable", True)
    if "global-services" in kinds:
        return line("udp", SERVICE_PORT, "untried", "ok", "ok", True)
    return line("udp", SERVICE_PORT, "untried", "note", "udp-unanswered", True)


def is_wanted(port, sockets, addresses):
    """Whether a port of a machine without services is there for others: not one on loopback beside what is outside."""
    def outside(one):
        return one.protocol == "tcp" and one.waits and one.kind(addresses) != "loopback"
    if any(outside(one) for one in on_port(sockets, "tcp", port)):
        return True
    return port != DEBUG_PORT and not any(outside(one) for one in sockets)


def questions(role, sockets):
    """What has to be tried of a machine of this role: (path, port)."""
    asked = {("6pn", one.port) for one in sockets if one.protocol == "tcp" and one.waits}
    if role == "tcp":
        asked |= {("proxy", SERVICE_PORT), ("6pn", SERVICE_PORT)}
    if role == "udp":
        asked |= {("udp", SERVICE_PORT)}
    if role == "dialled":
        asked |= {("6pn", SERVICE_PORT)}
    return sorted(asked)


def lines(role, sockets, truth, addresses):
    """The lines that a report has to have. `truth`: (path, port) -> the prober's word."""
    found = []
    for (path, port), word in truth.items():
        word = word if path == "udp" else word.split()[0]
        if path == "udp":
            found.append(udp_line(word, sockets, addresses))
        elif path == "proxy":
            found.append(tcp_line(path, port, word, sockets, addresses, True))
            if word == "open":
                found.append(line("published", port, "reachable", "ok", "ok", True))
        else:
            required = role == "dialled" and port == SERVICE_PORT or role == "plain" and is_wanted(port, sockets, addresses)
            found.append(tcp_line(path, port, word, sockets, addresses, required))
    return found or [line("6pn", 0, "untried", "ok", "running", True)]


def split_port(sockets, truth):
    """Whether two programs share the service's port, by who answered; None where that does not tell."""
    words = [truth.get((path, SERVICE_PORT), "").split() for path in ("proxy", "6pn")]
    if any(len(one) != 3 for one in words):
        return None
    names = []
    for _, _, answered_by in words:
        one = next(socket for socket in sockets if socket.id == answered_by)
        # Of several sockets with one address any may answer; so may [::] and ::ffff:0.0.0.0, which are equals for IPv4.
        address = one.address.replace("::ffff:0.0.0.0", "::")
        group = [s for s in on_port(sockets, "tcp", SERVICE_PORT) if s.address.replace("::ffff:0.0.0.0", "::") == address]
        shared_by = {min(s.holders)[1] for s in group}
        if len(shared_by) > 1:
            return None
        names.append(shared_by.pop())
    return names[0] != names[1]


def listeners(sockets):
    """(protocol, address, port, v6_only) -> what its row may say: (pid, process, backlog) of one of its sockets."""
    rows = {}
    for one in sockets:
        if one.waits:
            pid, name = min(one.holders)
            row = (one.protocol, str(ipaddress.ip_address(one.address)), one.port, one.v6_only)
            rows.setdefault(row, set()).add((pid, name, one.backlog if one.protocol == "tcp" else None))
    return rows
